package admin

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core"
)

// TestDocumentedCallsAreTheCallsThereAre holds docs/api.md to the routes.
func TestDocumentedCallsAreTheCallsThereAre(t *testing.T) {
	page, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented, registered []string
	for _, m := range regexp.MustCompile("(?m)^\\| `((?:GET|POST) /[^`]*)` \\|").FindAllSubmatch(page, -1) {
		documented = append(documented, string(m[1]))
	}
	app := fiber.New()
	Register(app, Config{Metrics: NewMetrics("test"), Integrations: nobody, Store: &memory{}, Dispatcher: &sender{}})
	for _, r := range app.GetRoutes(true) {
		if r.Method == fiber.MethodGet || r.Method == fiber.MethodPost {
			registered = append(registered, r.Method+" "+r.Path)
		}
	}
	slices.Sort(documented)
	slices.Sort(registered)
	if !slices.Equal(documented, registered) {
		t.Errorf("documented: %q\nregistered: %q", documented, registered)
	}
}

func nobody() []*core.Integration { return nil }
