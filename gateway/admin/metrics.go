package admin

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

	"bellcrank.example/core"
)

// Metrics are the gateway's figures for Prometheus. Their labels come from the
// configuration and from published codes, never from what senders write.
type Metrics struct {
	registry *prometheus.Registry
	received *prometheus.CounterVec
	rejected *prometheus.CounterVec
	accept   *prometheus.HistogramVec
	body     prometheus.Histogram
}

// NewMetrics returns metrics in which nothing has happened.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		received: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bellcrank_webhooks_received_total",
			Help: "Webhook requests by the HTTP status of their answer.",
		}, []string{"integration", "code"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bellcrank_webhooks_rejected_total",
			Help: "Webhook requests that were answered with an error, by its code.",
		}, []string{"integration", "reason"}),
		accept: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "bellcrank_webhook_accept_duration_seconds",
			Help: "Time from the first look at a webhook request to its answer.",
			// Senders give up after a second at the earliest.
			Buckets:                     []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, .8, 1, 2.5, 5, 10},
			NativeHistogramBucketFactor: 1.1,
		}, []string{"integration"}),
		body: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:                        "bellcrank_webhook_body_bytes",
			Help:                        "Size of webhook bodies as sent.",
			Buckets:                     prometheus.ExponentialBuckets(256, 4, 9),
			NativeHistogramBucketFactor: 1.1,
		}),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "bellcrank_build_info", Help: "Always 1; the labels say what runs.",
	}, []string{"version"})
	build.WithLabelValues(version).Set(1)
	m.registry.MustRegister(m.received, m.rejected, m.accept, m.body, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// stranger is the integration of requests without a valid key.
const stranger = "unknown"

// Webhook counts one webhook request: the integration ("TYPE/NAME", empty for
// strangers), its answer's HTTP status, and the code of its error if any.
func (m *Metrics) Webhook(integration string, status int, code core.Code, took time.Duration, size int) {
	if integration == "" {
		integration = stranger
	}
	m.received.WithLabelValues(integration, strconv.Itoa(status)).Inc()
	if status >= fiber.StatusBadRequest {
		m.rejected.WithLabelValues(integration, strings.ToLower(string(code))).Inc()
		return
	}
	m.accept.WithLabelValues(integration).Observe(took.Seconds())
	m.body.Observe(float64(size))
}

// watch adds what is asked of the gateway at each scrape, and lets the rates
// of all that is configured start at zero.
func (m *Metrics) watch(a *api) {
	m.registry.MustRegister(&watched{api: a})
	for _, in := range a.cfg.Integrations() {
		m.received.WithLabelValues(in.ID(), "200")
	}
}

// metrics writes them in Prometheus' text format. The token is enough here:
// scrapers come by whatever name the machine has.
func (a *api) metrics(c *fiber.Ctx) error {
	if err := a.authenticate(c); err != nil {
		return err
	}
	families, err := a.cfg.Metrics.registry.Gather()
	if err != nil {
		return fmt.Errorf("gather metrics: %w", err)
	}
	var text bytes.Buffer
	format := expfmt.NewFormat(expfmt.TypeTextPlain)
	encoder := expfmt.NewEncoder(&text, format)
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return fmt.Errorf("write metrics: %w", err)
		}
	}
	c.Set(fiber.HeaderContentType, string(format))
	return c.Send(text.Bytes())
}

// watched collects the figures that are read rather than counted.
type watched struct{ api *api }

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("bellcrank_"+name, help, labels, nil)
}

// What watched tells.
var (
	storeUp         = gauge("store_up", "Whether the store answers.")
	inboxPending    = gauge("inbox_pending", "Requests that are stored and not adapted to their end.")
	inboxOldest     = gauge("inbox_oldest_seconds", "Age of the oldest of them.")
	owed            = gauge("deliveries_pending", "Deliveries that are due or parked.")
	owedOldest      = gauge("delivery_oldest_pending_seconds", "Age of the oldest of them.")
	parked          = gauge("deliveries_parked", "Deliveries that wait for a disabled destination.")
	enabled         = gauge("destination_enabled", "Whether a destination is sent to.", "destination")
	destinationFail = gauge("destination_failures", "Attempts that failed since the last success.", "destination")
)

// Describe makes *watched a collector.
func (w *watched) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range append(pluginMetrics(),
		storeUp, inboxPending, inboxOldest, owed, owedOldest, parked, enabled, destinationFail,
	) {
		ch <- d
	}
}

// Collect makes *watched a collector. While the store is down its figures are
// missing, which is what alert rules look for.
func (w *watched) Collect(ch chan<- prometheus.Metric) {
	set := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for _, p := range w.api.cfg.Plugins() {
		collectPlugin(ch, &p)
	}
	ctx, cancel := context.WithTimeout(context.Background(), w.api.cfg.Timeout)
	defer cancel()
	backlog, err := w.api.cfg.Store.Backlog(ctx)
	states, errStates := w.api.states(ctx)
	set(storeUp, number(err == nil && errStates == nil))
	if err != nil || errStates != nil {
		return
	}
	set(inboxPending, float64(backlog.Requests))
	set(inboxOldest, w.age(backlog.OldestRequest))
	set(owed, float64(backlog.Deliveries))
	set(owedOldest, w.age(backlog.OldestDelivery))
	set(parked, float64(backlog.Parked))
	for _, d := range w.api.cfg.Destinations() {
		set(enabled, number(states[d.ID()].Active()), d.ID())
		set(destinationFail, float64(states[d.ID()].Failures), d.ID())
	}
}

func (w *watched) age(since time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return w.api.cfg.Now().Sub(since).Seconds()
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
