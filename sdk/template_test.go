package sdk

import "testing"

func TestUnrendered(t *testing.T) {
	for value, want := range map[string]bool{
		"{{alert.name}}": true, " $ALERT_ID ": true, "$TAGS[env]": true, "%host%": true, "<no value>": true,
		"": false, "Disk of {{host}} full": false, "$5 left": false, "100%": false, "{{ default }} x": false,
	} {
		if got := Unrendered(value); got != want {
			t.Errorf("Unrendered(%q) = %v, want %v", value, got, want)
		}
	}
}

func TestUnrenderedMember(t *testing.T) {
	if member, ok := UnrenderedMember(UnrenderedNote("title", "{{a}}")); member != "title" || !ok {
		t.Errorf("UnrenderedMember = %q, %v, want title", member, ok)
	}
	if member, ok := UnrenderedMember("the title was taken from message"); ok {
		t.Errorf("UnrenderedMember of another note = %q, want none", member)
	}
}
