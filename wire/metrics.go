package wire

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the server's counters.
type metrics struct {
	accepted, refused, cancels, errors, panics atomic.Int64
	received, sent                             atomic.Int64 // bytes, of connections that have ended
	messages                                   [256]atomic.Int64
}

// messageNames are the names of the frontend's messages.
var messageNames = map[byte]string{
	'Q': "Query", 'P': "Parse", 'B': "Bind", 'D': "Describe", 'E': "Execute", 'C': "Close", 'H': "Flush", 'S': "Sync",
	'F': "FunctionCall", 'X': "Terminate", 'd': "CopyData", 'c': "CopyDone", 'f': "CopyFail",
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("helios_wire_"+name, help, labels, nil)
}

var (
	connectionsDesc = describe("connections", "Client connections that are open.")
	acceptedDesc    = describe("accepted_total", "Client connections accepted.")
	refusedDesc     = describe("refused_total", "Client connections refused because there were too many.")
	messagesDesc    = describe("messages_total", "Messages from clients.", "type")
	errorsDesc      = describe("errors_total", "Errors sent to clients.")
	cancelsDesc     = describe("cancel_requests_total", "Cancel requests with a right key.")
	panicsDesc      = describe("panics_total", "Statements that failed by a panic.")
	bytesDesc       = describe("bytes_total", "Bytes of connections that have ended.", "direction")
)

// A collector hands the server's counters to Prometheus.
type collector struct{ s *Server }

// Collector gives the server's metrics.
func (s *Server) Collector() prometheus.Collector { return collector{s} }

// Describe gives the metrics' descriptions.
func (collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{connectionsDesc, acceptedDesc, refusedDesc, messagesDesc, errorsDesc, cancelsDesc, panicsDesc, bytesDesc} {
		ch <- d
	}
}

// Collect reads the counters.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	m := &c.s.metrics
	ch <- prometheus.MustNewConstMetric(connectionsDesc, prometheus.GaugeValue, float64(c.s.clients.Load()))
	count := func(d *prometheus.Desc, n *atomic.Int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n.Load()), labels...)
	}
	count(acceptedDesc, &m.accepted)
	count(refusedDesc, &m.refused)
	count(errorsDesc, &m.errors)
	count(cancelsDesc, &m.cancels)
	count(panicsDesc, &m.panics)
	count(bytesDesc, &m.received, "received")
	count(bytesDesc, &m.sent, "sent")
	for typ, name := range messageNames {
		count(messagesDesc, &m.messages[typ], name)
	}
}
