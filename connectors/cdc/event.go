package cdc

import (
	"cmp"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// An EventType says what an Event is.
type EventType uint8

// The types of events.
const (
	Create       EventType = iota + 1 // an INSERT
	Update                            // an UPDATE
	Delete                            // a DELETE
	Read                              // a row of the snapshot
	Truncate                          // a TRUNCATE of one table
	SchemaChange                      // the next event of the table has another definition
	LogMessage                        // pg_logical_emit_message
	Heartbeat                         // the source has come on without a captured change
	Begin                             // of a transaction; with Config.TransactionEvents
	Commit                            // likewise
)

var eventNames = [...]string{"", "create", "update", "delete", "read", "truncate", "schema change", "message", "heartbeat", "begin", "commit"}

// String names the type.
func (t EventType) String() string { return eventNames[t] }

// A SnapshotMark says where in a snapshot an event is: bits, none of which is
// set outside of snapshots.
type SnapshotMark uint8

// The marks of Read events.
const (
	SnapshotRow   SnapshotMark = 1 << iota // any row of a snapshot
	SnapshotFirst                          // the first: what an earlier snapshot gave is void
	SnapshotLast
)

// An Event is one thing that the source's log says. It never changes and
// stays valid; keeping one keeps up to 64 kB of its neighbours.
type Event struct {
	Type     EventType
	Snapshot SnapshotMark
	// Table is the table's definition that the images follow; nil for
	// LogMessage, Heartbeat, Begin and Commit.
	Table *Table
	// OldTable is the definition up to now, of a SchemaChange.
	OldTable *Table
	// Message is a LogMessage's.
	Message *Message
	// Cascade and RestartIdentity are a TRUNCATE's options.
	Cascade, RestartIdentity bool

	// Chunk, with Config.KeepChunks, is the range of its table that a Read of a
	// table without a key, or with SnapshotInitialOnly of any table, belongs to, from 1. In a Truncate of a snapshot it says that the rows
	// read of that range are void, and no others.
	Chunk int

	// LSN is of the change's own record, CommitLSN of its transaction's commit
	// record; of a Read both are the snapshot's.
	LSN, CommitLSN connectors.LSN
	XID            uint32
	CommitTime     time.Time // of a Read: when it was received
	// Seq is the change's number in its transaction, of a Read in its
	// snapshot; numbers of tables that are not captured are left out. Events
	// order by CommitLSN, then Seq.
	Seq uint64

	before, after types.Row
	old           zset.OldKind
	tableID       int
	mark          mark // where the source stands after it
}

// A Message is one written with pg_logical_emit_message.
type Message struct {
	Prefix        string
	Content       []byte
	Transactional bool
}

// ofSnapshot reports whether the event is of a snapshot, and not of a
// transaction that touches what a snapshot has given.
func (e *Event) ofSnapshot() bool { return e.Snapshot != 0 && e.XID == 0 }

// Before is the old row, as far as the replica identity makes the server send
// it: all columns (FULL), the key's, or none (HasBefore false), as of an
// update that leaves the key alone.
func (e *Event) Before() Image {
	return Image{table: e.Table, row: e.before, key: e.old == zset.OldKey}
}

// After is the new row of a Create, Update or Read.
func (e *Event) After() Image { return Image{table: e.Table, row: e.after} }

// HasBefore and HasAfter report which images there are.
func (e *Event) HasBefore() bool { return len(e.before) > 0 }

// HasAfter reports whether there is a new row.
func (e *Event) HasAfter() bool { return len(e.after) > 0 }

// Unchanged gives the names of the columns whose TOASTed values an Update left
// alone and the server did not send.
func (e *Event) Unchanged() []string {
	if e.Type != Update {
		return nil
	}
	var names []string
	off := 0
	for i := range e.Table.Columns {
		if e.after[off] == types.HeaderUnchanged {
			names = append(names, e.Table.Columns[i].Name)
		}
		off = types.Skip(e.after, off)
	}
	return names
}

// Compare orders events of one source.
func (e *Event) Compare(o *Event) int {
	return cmp.Or(cmp.Compare(e.CommitLSN, o.CommitLSN), cmp.Compare(e.Seq, o.Seq))
}

// Keyed gives a row with the values that identify the event's row, in their
// places: the old ones if they were sent, else the new ones.
func (e *Event) Keyed() Image {
	if e.HasBefore() {
		return e.Before()
	}
	return e.After()
}
