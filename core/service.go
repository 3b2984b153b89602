package core

import (
	"fmt"
	"strings"
)

// OwnerLabel is the label that an incident gets from its service's owner.
const OwnerLabel = "owner"

// Service is an entry of the operator's catalogue.
type Service struct {
	Name    string
	Aliases []string          // what vendors call it; letter case doesn't count
	Owner   string            // label OwnerLabel of its incidents
	Labels  map[string]string // further labels of its incidents
}

// Catalogue finds services by what vendors call them.
type Catalogue struct{ byName map[string]*Service }

// NewCatalogue reports names and aliases that two services have.
func NewCatalogue(services []Service) (*Catalogue, error) {
	c := &Catalogue{byName: map[string]*Service{}}
	for i := range services {
		s := &services[i]
		for _, name := range append([]string{s.Name}, s.Aliases...) {
			lower := strings.ToLower(name)
			if other, ok := c.byName[lower]; ok && other != s {
				return nil, fmt.Errorf("service %s: %q is a name of service %s as well", s.Name, name, other.Name)
			}
			c.byName[lower] = s
		}
	}
	return c, nil
}

// Find returns the service that is called so, nil if there is none. A nil
// catalogue is empty.
func (c *Catalogue) Find(name string) *Service {
	if c == nil || name == "" {
		return nil
	}
	return c.byName[strings.ToLower(name)]
}

// apply gives an event the catalogue's names of its services, and the labels
// of its own one. The event's labels win.
func (c *Catalogue) apply(e *Event) {
	for i, name := range e.AffectedServices {
		if s := c.Find(name); s != nil && s.Name != name {
			e.AffectedServices = append([]string(nil), e.AffectedServices...)
			e.AffectedServices[i] = s.Name
		}
	}
	s := c.Find(e.Service)
	if s == nil {
		return
	}
	e.Service = s.Name
	static := s.Labels
	if s.Owner != "" {
		static = withLabels(map[string]string{OwnerLabel: s.Owner}, s.Labels)
	}
	e.Labels = withLabels(e.Labels, static)
}
