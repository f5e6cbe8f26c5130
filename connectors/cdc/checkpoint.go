package cdc

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// A Checkpoint is where a Source stands: everything up to it was handed to the
// program. It encodes to and from JSON.
type Checkpoint struct {
	// LSN: all transactions that committed up to it.
	LSN connectors.LSN
	// Step: and of the transaction whose commit record is at StepLSN, that
	// many changes. 0 and 0 between transactions.
	Step    uint64
	StepLSN connectors.LSN
	// Snapshot is the progress of a snapshot that is not at its end.
	Snapshot *SnapshotProgress
	// Added are tables that are added and not yet among Tables: their snapshot
	// is not at its end.
	Added *AddedProgress
	// Tables are the definitions as of here.
	Tables   []*Table
	Slot     string
	SystemID string // the server's
	Timeline uint32 // the server's, in the history of which LSN lies; 0: not known
}

// AddedProgress is how far the snapshot of added tables has come.
type AddedProgress struct {
	Snapshot SnapshotProgress
	Tables   []*Table // their definitions
}

// IsZero reports whether nothing was reached yet.
func (c Checkpoint) IsZero() bool { return c.LSN == 0 && c.StepLSN == 0 && c.Snapshot == nil }

// Position is the checkpoint as a consumer of transactions knows it.
func (c Checkpoint) Position() connectors.Position {
	return connectors.Position{LSN: c.LSN, Step: c.Step, StepLSN: c.StepLSN}
}

type checkpointJSON struct {
	LSN      string            `json:"lsn"`
	Step     uint64            `json:"step,omitempty"`
	StepLSN  string            `json:"step_lsn,omitempty"`
	Snapshot *SnapshotProgress `json:"snapshot,omitempty"`
	Added    *AddedProgress    `json:"added,omitempty"`
	Tables   []*Table          `json:"tables,omitempty"`
	Slot     string            `json:"slot,omitempty"`
	SystemID string            `json:"system_id,omitempty"`
	Timeline uint32            `json:"timeline,omitempty"`
}

// MarshalJSON writes LSNs in PostgreSQL's notation.
func (c Checkpoint) MarshalJSON() ([]byte, error) {
	j := checkpointJSON{LSN: c.LSN.String(), Step: c.Step, Snapshot: c.Snapshot, Added: c.Added, Tables: c.Tables, Slot: c.Slot, SystemID: c.SystemID, Timeline: c.Timeline}
	if c.StepLSN != 0 {
		j.StepLSN = c.StepLSN.String()
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (c *Checkpoint) UnmarshalJSON(data []byte) (err error) {
	var j checkpointJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return fmt.Errorf("reading a checkpoint: %w", err)
	}
	*c = Checkpoint{Step: j.Step, Snapshot: j.Snapshot, Added: j.Added, Tables: j.Tables, Slot: j.Slot, SystemID: j.SystemID, Timeline: j.Timeline}
	if c.LSN, err = connectors.ParseLSN(j.LSN); err != nil {
		return fmt.Errorf("reading a checkpoint: %w", err)
	}
	if j.StepLSN != "" {
		if c.StepLSN, err = connectors.ParseLSN(j.StepLSN); err != nil {
			return fmt.Errorf("reading a checkpoint: %w", err)
		}
	}
	tables := c.Tables
	if c.Added != nil {
		tables = append(slices.Clip(tables), c.Added.Tables...)
	}
	for i, t := range tables {
		if t == nil || len(t.Columns) == 0 {
			return pgerr.Newf(pgerr.InvalidParameterValue, "reading a checkpoint: a table without columns")
		}
		if i >= len(c.Tables) && slices.ContainsFunc(tables[:i], func(o *Table) bool { return o.OID == t.OID }) {
			return pgerr.Newf(pgerr.InvalidParameterValue, "reading a checkpoint: added table %s is there twice", t)
		}
		for _, keys := range [][]int{t.Key, t.PrimaryKey} {
			for _, k := range keys {
				if k < 0 || k >= len(t.Columns) {
					return pgerr.Newf(pgerr.InvalidParameterValue, "reading a checkpoint: table %s has no column %d", t, k)
				}
			}
		}
	}
	return nil
}

// A mark is a Checkpoint's position, cheap to move.
type mark struct {
	at       connectors.Position
	snapshot bool              // within a snapshot
	last     bool              // at the end of one: the added tables are whole
	progress *SnapshotProgress // of the snapshot, where it has moved
}

// Checkpoint is the position behind the last event handed out. Safe for
// concurrent use.
func (s *Source) Checkpoint() Checkpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := Checkpoint{LSN: s.pos.at.LSN, Step: s.pos.at.Step, StepLSN: s.pos.at.StepLSN, Slot: s.feed.cfg.SlotName, SystemID: s.systemID, Timeline: s.timeline}
	if c.Tables = append(c.Tables, s.tables...); s.adding {
		c.Tables = c.Tables[:s.firstAdded]
	}
	switch {
	case s.pos.snapshot:
		c.Snapshot = s.withRows(0)
	case s.adding && s.progress != nil:
		c.Added = &AddedProgress{Snapshot: *s.withRows(s.firstAdded), Tables: slices.Clone(s.tables[s.firstAdded:])}
	}
	return c
}

// withRows gives the progress with the rows that were handed out of the tables
// from first on.
func (s *Source) withRows(first int) *SnapshotProgress {
	p := new(SnapshotProgress)
	if s.progress != nil {
		*p = *s.progress
	}
	p.Rows, p.Tables = 0, slices.Clone(p.Tables)
	for i, t := range s.tables[first:] {
		at := slices.IndexFunc(p.Tables, func(tp TableProgress) bool { return tp.OID == t.OID })
		if at < 0 {
			at = len(p.Tables)
			p.Tables = append(p.Tables, TableProgress{Schema: t.Schema, Table: t.Name, OID: t.OID})
		}
		p.Tables[at].Rows = s.snapshotRows[first+i]
		p.Rows += s.snapshotRows[first+i]
	}
	return p
}

// of gives the progress of some of the tables; nil: of none.
func (a *AddedProgress) of(tables []*Table) *AddedProgress {
	if len(tables) == 0 {
		return nil
	}
	return &AddedProgress{*a.Snapshot.of(tables), tables}
}

// of gives the progress of some of the tables.
func (p SnapshotProgress) of(tables []*Table) *SnapshotProgress {
	p.Tables = slices.DeleteFunc(slices.Clone(p.Tables), func(tp TableProgress) bool {
		return !slices.ContainsFunc(tables, func(t *Table) bool { return t.OID == tp.OID })
	})
	return &p
}

// Confirm says that everything up to a checkpoint of this source is durable
// at the program: now the server may forget it. Safe for concurrent use.
func (s *Source) Confirm(cp Checkpoint) error {
	s.mu.Lock()
	at, inSnapshot := s.pos.at, s.pos.snapshot
	s.mu.Unlock()
	if cp.Snapshot != nil || cp.IsZero() {
		return nil // the slot stays at the snapshot's start
	}
	if cp.Slot != "" && cp.Slot != s.feed.cfg.SlotName {
		return pgerr.Newf(pgerr.InvalidParameterValue, "the checkpoint is of slot %q, and the source's is %q", cp.Slot, s.feed.cfg.SlotName)
	}
	if cp.LSN > at.LSN && !inSnapshot {
		return pgerr.Newf(pgerr.InvalidParameterValue, "cannot confirm %s: events were handed out up to %s only", cp.LSN, at.LSN)
	}
	s.feed.Confirm(connectors.Position{LSN: cp.LSN})
	return nil
}

// Restore makes the source go on exactly behind a checkpoint. It is called
// before Start. A zero one makes the source begin anew, and so does SnapshotAlways. Within a
// snapshot it goes on with what is missing of it, if its slot is still there, or with
// SnapshotInitialOnly if KeepChunks says that it can.
//
// Listed tables may be other ones than the checkpoint's: one that is listed no
// more is left out from there on, and one that is new gets a snapshot of its own, see added.go,
// which goes on when the checkpoint has a part of it.
// With AllTables and Schemas they stay the checkpoint's.
func (s *Source) Restore(cp Checkpoint) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.started:
		return pgerr.Newf(pgerr.ObjectNotInPrerequisite, "cannot restore a source that was started")
	case cp.Slot != "" && cp.Slot != s.feed.cfg.SlotName:
		return pgerr.Newf(pgerr.InvalidParameterValue, "the checkpoint is of slot %q, and the source's is %q", cp.Slot, s.feed.cfg.SlotName)
	case s.feed.cfg.TemporarySlot:
		return pgerr.Newf(pgerr.InvalidParameterValue, "a source with a temporary slot cannot be restored")
	}
	s.restored, s.progress, s.tables, s.adding, s.pos, s.systemID, s.timeline = nil, nil, nil, false, mark{}, "", 0
	s.feed.cfg, s.feed.restored, s.feed.adding, s.feed.begun = s.feed.fresh, nil, 0, 0
	mode := s.feed.cfg.SnapshotMode
	if cp.IsZero() || mode == SnapshotAlways || cp.Snapshot != nil && (cp.Snapshot.LSN == 0 || mode == SnapshotInitialOnly && !s.feed.cfg.keepsChunks()) {
		return nil
	}
	if a := cp.Added; a != nil && (cp.Snapshot != nil || a.Snapshot.LSN == 0 || a.Snapshot.LSN > cp.LSN || mode == SnapshotNever) {
		cp.Added = nil
	}
	specs, tables, begun, err := s.restoredTables(cp)
	if err != nil {
		return err
	}
	s.firstAdded, s.adding = len(tables), len(begun) > 0
	if tables = append(tables, begun...); cp.Snapshot != nil {
		cp.Snapshot = cp.Snapshot.of(tables)
		s.progress = cp.Snapshot
	}
	if cp.Added = cp.Added.of(begun); s.adding {
		s.progress = &cp.Added.Snapshot
	}
	s.restored = &cp
	s.feed.restored, s.feed.adding, s.feed.begun = tables, len(specs)-s.firstAdded, len(begun)
	cfg := &s.feed.cfg
	cfg.TableSpecs, cfg.AllTables, cfg.Schemas = specs, false, nil
	if cfg.SystemID == "" {
		cfg.SystemID = cp.SystemID
	}
	if cfg.Timeline == 0 {
		cfg.Timeline = cp.Timeline
	}
	s.tables, s.systemID, s.timeline = slices.Clone(tables), cp.SystemID, cp.Timeline
	s.pos = mark{at: cp.Position(), snapshot: cp.Snapshot != nil}
	s.snapshotRows = make([]uint64, len(tables))
	if s.progress != nil {
		for i, t := range tables {
			for _, tp := range s.progress.Tables {
				if tp.OID == t.OID {
					s.snapshotRows[i] = tp.Rows
				}
			}
		}
	}
	return nil
}

// restoredTables matches the configured tables with the checkpoint's, then with
// those that it has a part of. Those that it lacks come last.
func (s *Source) restoredTables(cp Checkpoint) (specs []TableSpec, tables, begun []*Table, err error) {
	var parts []*Table
	if cp.Added != nil {
		parts = cp.Added.Tables
	}
	cfg := &s.feed.fresh
	wanted := cfg.TableSpecs
	if len(wanted) == 0 {
		for _, t := range slices.Concat(cp.Tables, parts) {
			wanted = append(wanted, TableSpec{Schema: t.Schema, Name: t.Name})
		}
	}
	// take gives the wanted tables of a list.
	take := func(list []*Table) []*Table {
		taken, left := []*Table{}, []TableSpec{}
		for _, spec := range wanted {
			at := slices.IndexFunc(list, func(t *Table) bool { return t.Schema == spec.Schema && t.Name == spec.Name })
			if at < 0 {
				left = append(left, spec)
				continue
			}
			spec.Pin = &Pin{OID: list[at].OID}
			specs, taken = append(specs, spec), append(taken, list[at])
		}
		wanted = left
		return taken
	}
	tables = take(cp.Tables)
	if len(wanted) > 0 && cfg.SnapshotMode == SnapshotInitialOnly && cp.Snapshot == nil {
		return nil, nil, nil, pgerr.Newf(pgerr.FeatureNotSupported, "table %s is not in the checkpoint: adding a table to a source with snapshot mode initial_only is not supported", wanted[0]).
			WithHint("Capture it with a source of its own, or begin anew without a checkpoint.")
	}
	begun = take(parts)
	if specs = append(specs, wanted...); len(specs) == 0 {
		return nil, nil, nil, pgerr.Newf(pgerr.InvalidParameterValue, "the checkpoint has no tables")
	}
	return specs, tables, begun, nil
}
