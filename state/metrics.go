package state

import (
	"cmp"
	"encoding/hex"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// A State is all parts of one fingerprint.
type State struct {
	Fingerprint [16]byte
	Parts       []Part
	Bytes       uint64 // on disk, about
}

// A Part is one arrangement.
type Part struct {
	Name  string
	Bytes uint64 // on disk, about; what is still in memtables not included
}

// States lists what the store holds as of the last commit, by fingerprint and
// part. Cost: a look into the index of the tables at each part's ends.
func (s *Store) States() ([]State, error) {
	sn := s.Snapshot()
	defer sn.Release()
	if err := sn.usable(); err != nil {
		return nil, err
	}
	byFP := make(map[[16]byte]*State)
	for id, num := range sn.names.numbers {
		n, err := s.db.EstimateDiskUsage(appendNumber(nil, num), appendNumber(nil, num+1))
		if err != nil {
			return nil, s.readError("arrangement "+id.String(), err)
		}
		st := byFP[id.fp]
		if st == nil {
			st = &State{Fingerprint: id.fp}
			byFP[id.fp] = st
		}
		st.Parts = append(st.Parts, Part{id.part, n})
		st.Bytes += n
	}
	out := make([]State, 0, len(byFP))
	for _, st := range byFP {
		slices.SortFunc(st.Parts, func(x, y Part) int { return cmp.Compare(x.Name, y.Name) })
		out = append(out, *st)
	}
	slices.SortFunc(out, func(x, y State) int { return slices.Compare(x.Fingerprint[:], y.Fingerprint[:]) })
	return out, nil
}

// Metrics are the store's figures.
type Metrics struct {
	DiskBytes        uint64 // all files of the database
	MemtableBytes    uint64
	CacheBytes       int64
	CacheHits        int64
	CacheMisses      int64
	HotBytes         int64
	HotHits          int64
	HotMisses        int64
	FilterHits       int64 // seeks that a bloom filter spared
	FilterMisses     int64
	Compactions      int64
	CompactionDebt   uint64 // bytes still to be compacted
	ReadAmplify      int    // tables a read looks into at most
	Flushes          int64
	WALBytes         uint64 // of live log files
	WALWrittenBytes  uint64
	WrittenBytes     uint64 // by flushes, compactions and ingestions
	Snapshots        int64
	BackgroundErrors int64
	Corruptions      int64
	WriteStalls      int64
	RefusedCommits   int64 // the disk was full
	DiskFull         bool
}

// Metrics gives the store's figures. Cost: some microseconds and Pebble's lock.
func (s *Store) Metrics() Metrics {
	sn := s.Snapshot()
	defer sn.Release()
	out := Metrics{
		HotHits: s.hot.hits.Load(), HotMisses: s.hot.misses.Load(), HotBytes: s.hot.bytes(),
		Snapshots:        s.snapshots.Load(),
		BackgroundErrors: s.events.backgroundErrors.Load(),
		Corruptions:      s.events.corruptions.Load(),
		WriteStalls:      s.events.writeStalls.Load(),
		RefusedCommits:   s.fs.refused.Load(),
		DiskFull:         s.fs.full.Load(),
	}
	if sn.usable() != nil {
		return out
	}
	m := s.db.Metrics()
	total := m.Total()
	out.DiskBytes = m.DiskSpaceUsage()
	out.MemtableBytes = m.MemTable.Size
	out.CacheBytes, out.CacheHits, out.CacheMisses = m.BlockCache.Size, m.BlockCache.Hits, m.BlockCache.Misses
	out.FilterHits, out.FilterMisses = m.Filter.Hits, m.Filter.Misses
	out.Compactions, out.CompactionDebt = m.Compact.Count, m.Compact.EstimatedDebt
	out.ReadAmplify = m.ReadAmp()
	out.Flushes = m.Flush.Count
	out.WALBytes, out.WALWrittenBytes = m.WAL.Size, m.WAL.BytesWritten
	out.WrittenBytes = total.TableBytesFlushed + total.TableBytesCompacted + total.TableBytesIngested
	return out
}

// Collector gives the store's figures to Prometheus. label turns a
// fingerprint into the label of its state, "" leaves it out; nil: hexadecimal.
func (s *Store) Collector(label func(fp [16]byte) string) prometheus.Collector {
	if label == nil {
		label = func(fp [16]byte) string { return hex.EncodeToString(fp[:]) }
	}
	return &collector{s: s, label: label}
}

type collector struct {
	s     *Store
	label func(fp [16]byte) string
}

// figures are the plain metrics, in the order that values gives them.
var figures = []struct {
	name, help string
	typ        prometheus.ValueType
	value      func(m *Metrics) float64
}{
	{"disk_bytes", "Size of all files of the state.", prometheus.GaugeValue, func(m *Metrics) float64 { return float64(m.DiskBytes) }},
	{"memtable_bytes", "Size of the memtables.", prometheus.GaugeValue, func(m *Metrics) float64 { return float64(m.MemtableBytes) }},
	{"block_cache_bytes", "Size of the block cache in use.", prometheus.GaugeValue, func(m *Metrics) float64 { return float64(m.CacheBytes) }},
	{"block_cache_hits_total", "Blocks found in the block cache.", prometheus.CounterValue, func(m *Metrics) float64 { return float64(m.CacheHits) }},
	{"block_cache_misses_total", "Blocks read from files.", prometheus.CounterValue, func(m *Metrics) float64 { return float64(m.CacheMisses) }},
	{"hot_cache_bytes", "Size of the hot cache in use.", prometheus.GaugeValue, func(m *Metrics) float64 { return float64(m.HotBytes) }},
	{"hot_cache_hits_total", "Reads answered by the hot cache.", prometheus.CounterValue, func(m *Metrics) float64 { return float64(m.HotHits) }},
	{"hot_cache_misses_total", "Reads not answered by the hot cache.", prometheus.CounterValue, func(m *Metrics) float64 { return float64(m.HotMisses) }},
	{"filter_hits_total", "Seeks spared by a bloom filter.", prometheus.CounterValue, func(m *Metrics) float64 { return float64(m.FilterHits) }},
	{"filter_misses_total", "Seeks not spared by a bloom filter.", prometheus.CounterValue, func(m *Metrics) float64 { return float64(m.FilterMisses) }},
	{"compactions_total", "Compactions done.", prometheus.CounterValue, func(m *Metrics) float64 { return float64(m.Compactions) }},
	{"compaction_debt_bytes", "Bytes that wait to be compacted.", prometheus.GaugeValue, func(m *Metrics) float64 { return float64(m.CompactionDebt) }},
	{"read_amplification_tables", "Tables that one read looks into at most.", prometheus.GaugeValue, func(m *Metrics) float64 { return float64(m.ReadAmplify) }},
	{"flushes_total", "Memtables written to tables.", prometheus.CounterValue, func(m *Metrics) float64 { return float64(m.Flushes) }},
	{"wal_bytes", "Size of the live log files.", prometheus.GaugeValue, func(m *Metrics) float64 { return float64(m.WALBytes) }},
	{"wal_written_bytes_total", "Bytes written to the log.", prometheus.CounterValue, func(m *Metrics) float64 { return float64(m.WALWrittenBytes) }},
	{"table_written_bytes_total", "Bytes written to tables.", prometheus.CounterValue, func(m *Metrics) float64 { return float64(m.WrittenBytes) }},
	{"snapshots", "Snapshots that readers may hold.", prometheus.GaugeValue, func(m *Metrics) float64 { return float64(m.Snapshots) }},
	{"background_errors_total", "Background writes that failed and are tried again.", prometheus.CounterValue, func(m *Metrics) float64 { return float64(m.BackgroundErrors) }},
	{"corruptions_total", "Damaged files met.", prometheus.CounterValue, func(m *Metrics) float64 { return float64(m.Corruptions) }},
	{"write_stalls_total", "Times that commits had to wait for flushes or compactions.", prometheus.CounterValue, func(m *Metrics) float64 { return float64(m.WriteStalls) }},
	{"refused_commits_total", "Commits refused because the disk was full.", prometheus.CounterValue, func(m *Metrics) float64 { return float64(m.RefusedCommits) }},
	{"disk_full", "1 while the disk is full.", prometheus.GaugeValue, func(m *Metrics) float64 {
		if m.DiskFull {
			return 1
		}
		return 0
	}},
}

var (
	figureDescs = func() []*prometheus.Desc {
		out := make([]*prometheus.Desc, len(figures))
		for i, f := range figures {
			out[i] = prometheus.NewDesc("helios_state_"+f.name, f.help, nil, nil)
		}
		return out
	}()
	arrangementDesc = prometheus.NewDesc("helios_state_arrangement_bytes",
		"Size on disk of an arrangement, about.", []string{"state", "part"}, nil)
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range figureDescs {
		ch <- d
	}
	ch <- arrangementDesc
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	m := c.s.Metrics()
	for i, f := range figures {
		ch <- prometheus.MustNewConstMetric(figureDescs[i], f.typ, f.value(&m))
	}
	states, err := c.s.States()
	if err != nil {
		ch <- prometheus.NewInvalidMetric(arrangementDesc, err)
		return
	}
	type part struct{ state, name string }
	sums := make(map[part]uint64) // several states may share a label
	for _, st := range states {
		label := c.label(st.Fingerprint)
		if label == "" {
			continue
		}
		for _, p := range st.Parts {
			sums[part{label, p.Name}] += p.Bytes
		}
	}
	for p, n := range sums {
		ch <- prometheus.MustNewConstMetric(arrangementDesc, prometheus.GaugeValue, float64(n), p.state, p.name)
	}
}
