package admin

import "bellcrank.example/core"

// Shape is what the requests of an integration look like, by the JSON paths
// that its adapter reads.
type Shape struct {
	Requests  int      `json:"requests"` // looked at until the shape was settled
	Since     Time     `json:"since"`
	SettledAt Time     `json:"settled_at,omitzero"` // nothing is said before
	ChangedAt Time     `json:"changed_at,omitzero"` // it is another than usual since then
	Vanished  []string `json:"vanished,omitempty"`
	Appeared  []string `json:"appeared,omitempty"`
}

// shape is what is known of an integration's requests, nil if nothing is.
func (a *api) shape(id string) *Shape {
	if a.cfg.Shape == nil {
		return nil
	}
	s, known := a.cfg.Shape(id)
	if !known {
		return nil
	}
	return shapeOf(&s)
}

func shapeOf(s *core.Shape) *Shape {
	v := &Shape{Requests: s.Seen, Since: Time{s.Since}, SettledAt: Time{s.SettledAt}, ChangedAt: Time{s.ChangedAt}}
	v.Vanished, v.Appeared = s.Changes()
	return v
}
