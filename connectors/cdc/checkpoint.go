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
	// Tables are the definitions as of here.
	Tables   []*Table
	Slot     string
	SystemID string // the server's
	Timeline uint32 // the server's, in the history of which LSN lies; 0: not known
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
	Tables   []*Table          `json:"tables,omitempty"`
	Slot     string            `json:"slot,omitempty"`
	SystemID string            `json:"system_id,omitempty"`
	Timeline uint32            `json:"timeline,omitempty"`
}

// MarshalJSON writes LSNs in PostgreSQL's notation.
func (c Checkpoint) MarshalJSON() ([]byte, error) {
	j := checkpointJSON{LSN: c.LSN.String(), Step: c.Step, Snapshot: c.Snapshot, Tables: c.Tables, Slot: c.Slot, SystemID: c.SystemID, Timeline: c.Timeline}
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
	*c = Checkpoint{Step: j.Step, Snapshot: j.Snapshot, Tables: j.Tables, Slot: j.Slot, SystemID: j.SystemID, Timeline: j.Timeline}
	if c.LSN, err = connectors.ParseLSN(j.LSN); err != nil {
		return fmt.Errorf("reading a checkpoint: %w", err)
	}
	if j.StepLSN != "" {
		if c.StepLSN, err = connectors.ParseLSN(j.StepLSN); err != nil {
			return fmt.Errorf("reading a checkpoint: %w", err)
		}
	}
	for _, t := range c.Tables {
		if t == nil || len(t.Columns) == 0 {
			return pgerr.Newf(pgerr.InvalidParameterValue, "reading a checkpoint: a table without columns")
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
	if s.pos.snapshot {
		p := SnapshotProgress{}
		if s.progress != nil {
			p = *s.progress
		}
		p.Rows, p.Tables = 0, slices.Clone(p.Tables)
		for i, t := range s.tables {
			at := slices.IndexFunc(p.Tables, func(tp TableProgress) bool { return tp.OID == t.OID })
			if at < 0 {
				at = len(p.Tables)
				p.Tables = append(p.Tables, TableProgress{Schema: t.Schema, Table: t.Name, OID: t.OID})
			}
			p.Tables[at].Rows = s.snapshotRows[i]
			p.Rows += s.snapshotRows[i]
		}
		c.Snapshot = &p
	}
	return c
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
// snapshot it goes on with what is missing of it, if its slot is still there.
//
// Listed tables may be other ones than the checkpoint's: one that is listed no
// more is left out from there on, and one that is new gets a snapshot of its own, see added.go.
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
	s.restored = nil
	mode := s.feed.cfg.SnapshotMode
	if cp.IsZero() || mode == SnapshotAlways || cp.Snapshot != nil && (cp.Snapshot.LSN == 0 || mode == SnapshotInitialOnly) {
		return nil
	}
	specs, tables, err := s.restoredTables(cp)
	if err != nil {
		return err
	}
	if cp.Snapshot != nil {
		p := *cp.Snapshot
		p.Tables = slices.DeleteFunc(slices.Clone(p.Tables), func(tp TableProgress) bool {
			return !slices.ContainsFunc(tables, func(t *Table) bool { return t.OID == tp.OID })
		})
		cp.Snapshot = &p
	}
	s.restored = &cp
	s.feed.restored, s.feed.adding = tables, len(specs)-len(tables)
	cfg := s.feed.fresh
	cfg.TableSpecs, cfg.AllTables, cfg.Schemas = specs, false, nil
	if cfg.SystemID == "" {
		cfg.SystemID = cp.SystemID
	}
	if cfg.Timeline == 0 {
		cfg.Timeline = cp.Timeline
	}
	s.feed.cfg = cfg
	s.tables, s.systemID = append([]*Table(nil), tables...), cp.SystemID
	s.timeline = cp.Timeline
	s.pos = mark{at: cp.Position(), snapshot: cp.Snapshot != nil}
	if s.progress = cp.Snapshot; cp.Snapshot != nil {
		s.snapshotRows = make([]uint64, len(tables))
		for i, t := range tables {
			for _, tp := range cp.Snapshot.Tables {
				if tp.OID == t.OID {
					s.snapshotRows[i] = tp.Rows
				}
			}
		}
	}
	return nil
}

// restoredTables matches the configured tables with the checkpoint's. Those
// that it lacks come last.
func (s *Source) restoredTables(cp Checkpoint) (specs []TableSpec, tables []*Table, err error) {
	tables = []*Table{}
	pin := func(spec TableSpec, t *Table) {
		spec.Pin = &Pin{OID: t.OID}
		specs, tables = append(specs, spec), append(tables, t)
	}
	cfg := &s.feed.fresh
	if len(cfg.TableSpecs) == 0 {
		for _, t := range cp.Tables {
			pin(TableSpec{Schema: t.Schema, Name: t.Name}, t)
		}
	}
	var added []TableSpec
	for _, spec := range cfg.TableSpecs {
		at := slices.IndexFunc(cp.Tables, func(t *Table) bool { return t.Schema == spec.Schema && t.Name == spec.Name })
		if at < 0 {
			added = append(added, spec)
			continue
		}
		pin(spec, cp.Tables[at])
	}
	if len(added) > 0 && cfg.SnapshotMode == SnapshotInitialOnly {
		return nil, nil, pgerr.Newf(pgerr.FeatureNotSupported, "table %s is not in the checkpoint: adding a table to a source with snapshot mode initial_only is not supported", added[0]).
			WithHint("Capture it with a source of its own, or begin anew without a checkpoint.")
	}
	if specs = append(specs, added...); len(specs) == 0 {
		return nil, nil, pgerr.Newf(pgerr.InvalidParameterValue, "the checkpoint has no tables")
	}
	return specs, tables, nil
}
