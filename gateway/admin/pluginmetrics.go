package admin

import (
	"github.com/prometheus/client_golang/prometheus"

	"bellcrank.example/core/pluginhost"
)

// What is told of plugins. Whether one is up has a metric of its own, for
// rules; its state is for people.
var (
	pluginUp        = gauge("plugin_up", "Whether a plugin is ready.", "plugin", "version")
	pluginState     = gauge("plugin_state", "1 for the state that a plugin is in, 0 for the others.", "plugin", "state")
	pluginRestarts  = gauge("plugin_restarts_total", "How often a plugin's process was started again.", "plugin", "reason")
	pluginAway      = gauge("plugin_unavailable_seconds_total", "Time in which no process of a plugin served, since the first one did.", "plugin")
	pluginStandby   = gauge("plugin_standby", "Whether a process stands by to take over.", "plugin")
	pluginInFlight  = gauge("plugin_inflight", "Calls that a plugin is working on.", "plugin")
	pluginWaiting   = gauge("plugin_waiting", "Calls that wait for a place in a plugin.", "plugin")
	pluginMemory    = gauge("plugin_memory_bytes", "Resident memory of a plugin's process.", "plugin")
	pluginCalls     = gauge("plugin_calls_total", "Calls of a plugin by what became of them.", "plugin", "outcome")
	pluginDurations = gauge("plugin_call_duration_seconds", "Time that the calls of a plugin took, waiting for a place included.", "plugin")
	pluginDropped   = gauge("plugin_output_dropped_bytes", "Output of a plugin's current process that was too much for the log.", "plugin")
)

func pluginMetrics() []*prometheus.Desc {
	return []*prometheus.Desc{
		pluginUp, pluginState, pluginRestarts, pluginAway, pluginStandby, pluginInFlight, pluginWaiting, pluginMemory, pluginCalls, pluginDurations, pluginDropped,
	}
}

// collectPlugin tells of one plugin.
func collectPlugin(ch chan<- prometheus.Metric, p *Plugin) {
	set := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, kind, value, labels...)
	}
	set(pluginUp, prometheus.GaugeValue, number(p.State == string(pluginhost.Ready)), p.Name, p.Version)
	for _, state := range pluginhost.States() {
		set(pluginState, prometheus.GaugeValue, number(p.State == string(state)), p.Name, string(state))
	}
	for reason, n := range p.RestartsBy {
		set(pluginRestarts, prometheus.CounterValue, float64(n), p.Name, reason)
	}
	for outcome, n := range p.Calls {
		set(pluginCalls, prometheus.CounterValue, float64(n), p.Name, outcome)
	}
	set(pluginAway, prometheus.CounterValue, p.Away.Seconds(), p.Name)
	set(pluginStandby, prometheus.GaugeValue, number(p.Standby != 0), p.Name)
	set(pluginInFlight, prometheus.GaugeValue, float64(p.InFlight), p.Name)
	set(pluginWaiting, prometheus.GaugeValue, float64(p.Waiting), p.Name)
	set(pluginMemory, prometheus.GaugeValue, float64(p.Memory), p.Name)
	set(pluginDropped, prometheus.GaugeValue, float64(p.OutputDropped), p.Name)
	ch <- prometheus.MustNewConstHistogram(pluginDurations, p.Durations.Count, p.Durations.Sum, p.Durations.Within, p.Name)
}
