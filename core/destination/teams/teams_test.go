package teams

import (
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/destinationtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newSender(t *testing.T, url string) *Sender {
	t.Helper()
	s, err := New(destinationtest.Config(t, map[string]any{"url": url + "/workflows/1/triggers/manual/paths/invoke?sig=s3cr3t"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestItIsHeldToWhatAllAre(t *testing.T) {
	destinationtest.Run(t, destinationtest.Kit{
		New:    func(t *testing.T, url string) core.Sender { return newSender(t, url) },
		Accept: destinationtest.Answer(202, ""),
	})
}

func TestEachChangeIsACard(t *testing.T) {
	vendor := destinationtest.NewVendor(t, destinationtest.Answer(202, ""))
	s := newSender(t, vendor.URL)
	for kind, want := range map[core.Kind]string{
		core.Created:      `\[INC\-042\] High: Disk is full Attention`,
		core.Escalated:    `\[INC\-042\] Escalated to Critical: Disk is full Attention`,
		core.AckedKind:    `\[INC\-042\] Acknowledged: Disk is full Attention`,
		core.ResolvedKind: `\[INC\-042\] Resolved: Disk is full Good`,
	} {
		destinationtest.Send(t, s, destinationtest.Message(kind))
		r := vendor.Requests()[0]
		body := r.JSON(t)
		a := body["attachments"].([]any)[0].(map[string]any)
		c := a["content"].(map[string]any)
		elements := c["body"].([]any)
		title := elements[0].(map[string]any)
		if got := fmt.Sprint(title["text"], " ", title["color"]); got != want || a["contentType"] != "application/vnd.microsoft.card.adaptive" {
			t.Errorf("%s: %s in %v, want %s in a card", kind, got, a["contentType"], want)
		}
		facts, actions := elements[2].(map[string]any)["facts"].([]any), c["actions"].([]any)
		if len(facts) < 7 || len(actions) != 3 {
			t.Errorf("%s: %d facts and %d buttons, want all of them and three", kind, len(facts), len(actions))
		}
	}
}

func TestACardStaysBelowWhatTeamsTakes(t *testing.T) {
	vendor := destinationtest.NewVendor(t, destinationtest.Answer(202, ""))
	destinationtest.Send(t, newSender(t, vendor.URL), destinationtest.Hostile())
	if n := len(vendor.Requests()[0].Body); n > 28<<10 {
		t.Errorf("a body of %d bytes, want at most 28 KiB", n)
	}
}

func TestWhatAConnectorSaysInA200Decides(t *testing.T) {
	for status, want := range map[string]core.FaultClass{
		"429": core.Throttled, "413": core.DeliveryFault, "403": core.DestinationFault, "500": core.DestinationFault,
	} {
		vendor := destinationtest.NewVendor(t, destinationtest.Answer(200,
			"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error "+status+" with ContextId x"))
		a := destinationtest.Send(t, newSender(t, vendor.URL), destinationtest.Message(core.Created))
		if class, _ := a.Classify(time.Now()); class != want || a.Err == nil {
			t.Errorf("%s: answer %+v is class %q, want %q", status, a, class, want)
		}
	}
}

func TestAURLIsRequired(t *testing.T) {
	if _, err := New(destinationtest.Config(t, map[string]any{})); err == nil {
		t.Error("settings without a url were taken")
	}
}
