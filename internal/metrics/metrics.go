// Package metrics counts what the server does, for Prometheus. It knows the names and
// labels of metrics and nothing of what they count.
package metrics

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	vm "github.com/VictoriaMetrics/metrics"
)

// Metrics holds the counters. Labels are route patterns, verdicts and kinds:
// never what somebody sent.
type Metrics struct {
	set      *vm.Set
	requests sync.Map // requestKey to *vm.PrometheusHistogram
	verdicts sync.Map // verdict to *vm.Counter
}

type requestKey struct {
	route, method string
	status        int
}

// Upper bounds of the buckets, in seconds.
var (
	requestBounds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, 1, 5}
	messageBounds = []float64{.01, .05, .1, .5, 1, 5, 15, 60, 300}
)

// New returns counters at zero.
func New() *Metrics {
	vm.ExposeMetadata(true)
	return &Metrics{set: vm.NewSet()}
}

// Handler serves the metrics in Prometheus's text format, with those of the process.
func (m *Metrics) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		m.set.WritePrometheus(w)
		vm.WriteProcessMetrics(w)
	})
}

// Request counts a response and the time it took, by route, method and status.
func (m *Metrics) Request(route, method string, status int, took time.Duration) {
	key := requestKey{route, method, status}
	h, ok := m.requests.Load(key)
	if !ok {
		name := fmt.Sprintf(`djauthy_http_request_seconds{route=%q,method=%q,status="%d"}`, route, method, status)
		h, _ = m.requests.LoadOrStore(key, m.set.GetOrCreatePrometheusHistogramExt(name, requestBounds))
	}
	h.(*vm.PrometheusHistogram).Update(took.Seconds())
}

// Submitted counts a submitted code or link, by its verdict.
func (m *Metrics) Submitted(verdict string) {
	m.set.GetOrCreateCounter(fmt.Sprintf(`djauthy_signin_answers_total{verdict=%q}`, verdict)).Inc()
}

// Verify counts verified tokens of micro services, by verdict.
func (m *Metrics) Verify(verdict string) {
	c, ok := m.verdicts.Load(verdict)
	if !ok {
		c, _ = m.verdicts.LoadOrStore(verdict, m.set.GetOrCreateCounter(fmt.Sprintf(`djauthy_service_verdicts_total{verdict=%q}`, verdict)))
	}
	c.(*vm.Counter).Inc()
}

// Bus counts messages of the bus, by outcome.
func (m *Metrics) Bus(outcome string) {
	m.set.GetOrCreateCounter(fmt.Sprintf(`djauthy_bus_messages_total{outcome=%q}`, outcome)).Inc()
}

// BusConnected shows whether there is a connection to the broker, 1 or 0.
func (m *Metrics) BusConnected(connected func() bool) {
	m.set.NewGauge(`djauthy_bus_connected`, func() float64 {
		if connected() {
			return 1
		}
		return 0
	})
}

// Sent counts a message that was sent and the time since it was requested.
func (m *Metrics) Sent(channel string, took time.Duration) {
	m.set.GetOrCreatePrometheusHistogramExt(fmt.Sprintf(`djauthy_message_seconds{channel=%q}`, channel), messageBounds).Update(took.Seconds())
}

// Failed counts a failed try to send a message, and whether it was given up.
func (m *Metrics) Failed(channel string, givenUp bool) {
	m.set.GetOrCreateCounter(fmt.Sprintf(`djauthy_message_failures_total{channel=%q,given_up="%t"}`, channel, givenUp)).Inc()
}

// Swept counts rows that the sweeper removed, by kind.
func (m *Metrics) Swept(kind string, n int64) {
	m.set.GetOrCreateCounter(fmt.Sprintf(`djauthy_swept_total{kind=%q}`, kind)).AddInt64(n)
}
