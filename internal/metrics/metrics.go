// Package metrics counts what the server does, for Prometheus. It knows names
// and labels and nothing of what they count.
package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics holds the counters. Labels are route patterns, verdicts and kinds:
// never what somebody sent.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	answers  *prometheus.CounterVec
	sent     *prometheus.HistogramVec
	failed   *prometheus.CounterVec
	swept    *prometheus.CounterVec
}

// New returns counters at zero.
func New() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "djauthy_http_request_seconds", Help: "Time to answer, by route, method and status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, 1, 5},
		}, []string{"route", "method", "status"}),
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "djauthy_signin_answers_total", Help: "Codes and links submitted, by what they led to.",
		}, []string{"verdict"}),
		sent: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "djauthy_message_seconds", Help: "Time from asking for a message to handing it over, by channel.",
			Buckets: []float64{.01, .05, .1, .5, 1, 5, 15, 60, 300},
		}, []string{"channel"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "djauthy_message_failures_total", Help: "Failed tries to send, by channel, and whether the message was given up.",
		}, []string{"channel", "given_up"}),
		swept: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "djauthy_swept_total", Help: "Rows that the sweeper removed, by kind.",
		}, []string{"kind"}),
	}
	m.registry.MustRegister(m.requests, m.answers, m.sent, m.failed, m.swept, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler answers in Prometheus's text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Request counts an answer.
func (m *Metrics) Request(route, method string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Observe(took.Seconds())
}

// Answer counts a submitted code or link.
func (m *Metrics) Answer(verdict string) { m.answers.WithLabelValues(verdict).Inc() }

// Sent counts a message handed over.
func (m *Metrics) Sent(channel string, took time.Duration) {
	m.sent.WithLabelValues(channel).Observe(took.Seconds())
}

// Failed counts a try to send that failed.
func (m *Metrics) Failed(channel string, givenUp bool) {
	m.failed.WithLabelValues(channel, strconv.FormatBool(givenUp)).Inc()
}

// Swept counts removed rows.
func (m *Metrics) Swept(kind string, n int64) { m.swept.WithLabelValues(kind).Add(float64(n)) }
