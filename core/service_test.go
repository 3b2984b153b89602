package core

import (
	"testing"

	"bellcrank.example/sdk"
)

func TestServicesAreCalledByTheirNames(t *testing.T) {
	catalogue, err := NewCatalogue([]Service{
		{Name: "checkout", Aliases: []string{"svc-checkout", "Kasse"}, Owner: "payments", Labels: map[string]string{"tier": "1", "team": "x"}},
		{Name: "search"},
	})
	if err != nil {
		t.Fatal(err)
	}
	in := &Integration{Type: "custom", Name: "a", Services: catalogue, Service: ServicePolicy{Default: "search"}}
	tests := map[string]struct {
		event                sdk.Event
		service, owner, team string
	}{
		"by an alias, in any case": {sdk.Event{Service: "KASSE"}, "checkout", "payments", "x"},
		"by its name":              {sdk.Event{Service: "Checkout"}, "checkout", "payments", "x"},
		"the event's label wins":   {sdk.Event{Service: "kasse", Labels: map[string]string{"team": "own"}}, "checkout", "payments", "own"},
		"an unknown one stays":     {sdk.Event{Service: "other"}, "other", "", ""},
		"the default":              {sdk.Event{}, "search", "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.event.Action, tt.event.AffectedServices = sdk.Trigger, []string{"kasse", "other"}
			e := PrepareEvents(in, 1, false, []sdk.Event{tt.event})[0]
			if e.Service != tt.service || e.Labels[OwnerLabel] != tt.owner || e.Labels["team"] != tt.team {
				t.Errorf("service %q, labels %v", e.Service, e.Labels)
			}
			if e.AffectedServices[0] != "checkout" || tt.event.AffectedServices[0] != "kasse" {
				t.Errorf("affected %v, the adapter's list is %v", e.AffectedServices, tt.event.AffectedServices)
			}
		})
	}
}

func TestACatalogueRefusesWhatHasTwoMeanings(t *testing.T) {
	_, err := NewCatalogue([]Service{{Name: "a", Aliases: []string{"x"}}, {Name: "b", Aliases: []string{"X"}}})
	if err == nil {
		t.Error("an alias of two services is taken")
	}
}
