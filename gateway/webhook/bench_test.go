package webhook

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core"
	"bellcrank.example/core/keyring"
	"bellcrank.example/gateway/server"
	"bellcrank.example/sdk"
)

// noop is an intake that stores nothing.
type noop struct{}

func (noop) Accept(context.Context, *core.Integration, *core.Request, []byte) (core.Receipt, error) {
	return core.Receipt{Request: 1 << 22, State: core.RequestDone, Total: 1, Incidents: []core.IncidentSummary{
		{Number: 42, Title: "API latency spike", Severity: sdk.High, Status: core.Investigating},
	}}, nil
}

// BenchmarkDoor compares the door with a bare handler that answers a constant,
// both on a real socket and with keep-alive connections.
func BenchmarkDoor(b *testing.B) {
	quiet := slog.New(slog.DiscardHandler)
	b.Run("bare", func(b *testing.B) {
		app := fiber.New(fiber.Config{DisableStartupMessage: true})
		app.Post("/webhooks/:key", func(c *fiber.Ctx) error { return c.SendString(`{"success":true}`) })
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- app.Listener(ln) }()
		load(b, ln.Addr().String())
		app.Shutdown()
		<-done
	})
	b.Run("door", func(b *testing.B) {
		table, err := keyring.New(keyring.Config{Integrations: integrations(), Pepper: []byte("pepper")})
		if err != nil {
			b.Fatal(err)
		}
		s := server.New(server.Config{Logger: quiet})
		Register(s.Router(), Config{Keys: func() *keyring.Table { return table }, Intake: noop{}, Logger: quiet})
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error, 1)
		go func() { done <- s.Serve(ctx, ln) }()
		load(b, ln.Addr().String())
		cancel()
		<-done
	})
}

// load sends a body of 1.5 KB again and again, on 16 connections per core.
func load(b *testing.B, addr string) {
	body := fmt.Sprintf(`{"title":"API latency spike","description":%q}`, make([]byte, 360))
	message := []byte(request(machineKey, body, "User-Agent: bench", "Content-Type: application/json"))
	b.SetParallelism(16)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		answers := bufio.NewReader(conn)
		for pb.Next() {
			if _, err := conn.Write(message); err != nil {
				b.Error(err)
				return
			}
			answer, err := http.ReadResponse(answers, nil)
			if err != nil || answer.StatusCode != http.StatusOK {
				b.Errorf("answer %v, %v", answer, err)
				return
			}
			if _, err := io.Copy(io.Discard, answer.Body); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
}
