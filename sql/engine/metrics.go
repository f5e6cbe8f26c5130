package engine

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
)

// Collector gives the engine's metrics for Prometheus.
func (e *Engine) Collector() prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("helios_"+name, help, labels, nil)
	}
	return &collector{e: e,
		ticks:        desc("engine_ticks_total", "Ticks of transactions of sources."),
		transactions: desc("engine_transactions_total", "Source transactions applied."),
		changes:      desc("engine_changes_total", "Row changes applied."),
		tickSeconds:  desc("engine_tick_seconds_total", "Time spent in ticks."),
		syncs:        desc("engine_syncs_total", "Syncs of the store."),
		statements:   desc("engine_statements_total", "Statements executed."),
		errors:       desc("engine_statement_errors_total", "Statements that failed."),
		tick:         desc("engine_tick", "The last published tick."),
		lagBytes:     desc("cdc_lag_bytes", "Bytes of the source's log not yet received.", "source"),
		lagSeconds:   desc("cdc_lag_seconds", "Age of the last received commit when it arrived.", "source"),
		spoolBytes:   desc("cdc_spool_bytes", "Bytes in files of large transactions that have not committed at the source.", "source"),
		up:           desc("cdc_up", "1 while the source streams or takes its snapshot.", "source"),
		snapshotRows: desc("cdc_snapshot_rows_total", "Rows of the snapshot loaded since the start.", "source"),
		chunks:       desc("cdc_snapshot_chunks", "Chunks that the snapshot is read in.", "source"),
		chunksDone:   desc("cdc_snapshot_chunks_done", "Chunks of the snapshot that are done, before a restart too.", "source"),
	}
}

type collector struct {
	e *Engine

	ticks, transactions, changes, tickSeconds, syncs, statements, errors, tick *prometheus.Desc
	lagBytes, lagSeconds, spoolBytes, up, snapshotRows, chunks, chunksDone     *prometheus.Desc
}

func (c *collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

func (c *collector) Collect(ch chan<- prometheus.Metric) {
	m := &c.e.metrics
	counter := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v)
	}
	counter(c.ticks, float64(m.Ticks.Load()))
	counter(c.transactions, float64(m.Transactions.Load()))
	counter(c.changes, float64(m.Changes.Load()))
	counter(c.tickSeconds, float64(m.TickNanos.Load())/1e9)
	counter(c.syncs, float64(m.Syncs.Load()))
	counter(c.statements, float64(m.Statements.Load()))
	counter(c.errors, float64(m.Errors.Load()))
	v := c.e.ticker.acquire()
	defer v.release()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(c.tick, float64(v.tick))
	for _, src := range v.cat.Sources() {
		r := c.e.sourceRunner(src.ID)
		if r == nil {
			continue
		}
		r.mu.Lock()
		source, state, rows, chunks := r.source, r.mu.state, r.mu.snapshotRows, snapshotChunks(r.source, r.mu.chunks)
		r.mu.Unlock()
		up := 0.0
		if state == "streaming" || state == "snapshot" || state == finished {
			up = 1
		}
		gauge(c.up, up, src.Name)
		gauge(c.snapshotRows, float64(rows), src.Name)
		gauge(c.chunksDone, float64(chunks[0]), src.Name)
		gauge(c.chunks, float64(chunks[1]), src.Name)
		if source != nil {
			bytes, age := source.Lag()
			gauge(c.lagBytes, float64(bytes), src.Name)
			gauge(c.lagSeconds, age.Seconds(), src.Name)
		}
		if s, ok := source.(connectors.Spooler); ok {
			gauge(c.spoolBytes, float64(s.SpoolBytes()), src.Name)
		}
	}
}

// StateLabel names a state for people: the relation it belongs to, or the
// operator's fingerprint as it is.
func (e *Engine) StateLabel(fp [16]byte) string {
	for _, r := range e.Catalog().Relations() {
		if r.Kind != catalog.System && physical.RelationFingerprint(uint32(r.ID)) == fp {
			return r.Schema + "." + r.Name
		}
	}
	return ""
}
