// Package connectors is the contract of a source: whole committed
// transactions of packed row changes, in the order of their positions.
package connectors

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// An LSN is a position in a PostgreSQL server's write-ahead log, in bytes.
type LSN uint64

// String gives PostgreSQL's notation, such as 0/16B3748.
func (l LSN) String() string { return fmt.Sprintf("%X/%X", uint32(l>>32), uint32(l)) }

// A Position is where in a source a consumer stands: everything committed up
// to LSN is in, nothing behind it. Positions of whole transactions compare by
// LSN (the end of the commit record).
type Position struct {
	LSN LSN
	// Step is nonzero only between the steps of one large transaction: how much
	// of the transaction that commits at StepLSN is already in. It grows from step
	// to step; its unit is the source's own.
	Step    uint64
	StepLSN LSN
}

// A Table is a captured table as the source sees it now.
type Table struct {
	ID      int    // index in the source's list; the number that changes carry
	Schema  string // upstream names
	Name    string
	OID     uint32 // upstream pg_class.oid
	Columns types.Schema
	// Key are the columns (0-based) of the replica identity: primary key or
	// index. Empty: REPLICA IDENTITY FULL, the whole row.
	Key []int
	// Partitioned: rows may come and go with a partition unsent (see
	// TableRefresher), so that an insert may find a row of its key.
	Partitioned bool `json:",omitempty"`
	// ByChunk: while a snapshot lasts a sink that keeps it, keeps the table's rows by
	// SnapshotChunk.Chunk. Said when the tables are announced.
	ByChunk bool `json:"-"`
}

// A Txn is one committed transaction, or one step of a large one. It belongs
// to the receiver until it calls Release.
type Txn struct {
	Position   Position
	CommitTime time.Time
	XID        uint32
	Changes    []TableChanges // by table, each in order of time
	Rows       int
	Bytes      int
	// Last is false for all steps of a large transaction but the last.
	Last bool
	// Truncates order against changes of the same table only: they are in Changes.

	Release func() // gives the memory back to the source; may be nil
}

// TableChanges are a transaction's changes of one table.
type TableChanges struct {
	Table   int // Table.ID
	Changes *zset.Changes
}

// A SnapshotChunk is a piece of a table's initial contents, all +1.
type SnapshotChunk struct {
	Table int
	Rows  *zset.Batch
	// Part numbers what is read side by side, from 0: the rows of one part come
	// in the order in which the table has them, so often in that of a key.
	Part int
	// Chunk numbers the ranges that a table is cut into, from 0, if its rows are
	// kept by it (Table.ByChunk), so that they can become void by it.
	Chunk int
}

// A Sink takes what a source has to say, in order. Its methods block when the
// engine is behind: that is the backpressure.
type Sink interface {
	// Tables announces the captured tables, before anything else, and again
	// whenever one changes upstream. An error says which table can't go on.
	Tables(ctx context.Context, tables []Table) error
	// SnapshotBegin says that a new snapshot starts: what an earlier,
	// unfinished one loaded is void. Behind transactions it is of a position that
	// nothing leads to from the last one: its end replaces all that the sink has.
	SnapshotBegin(ctx context.Context) error
	SnapshotChunk(ctx context.Context, c SnapshotChunk) error
	// SnapshotEnd publishes the snapshot: the tables' contents at the position.
	SnapshotEnd(ctx context.Context, at Position) error
	// Commit takes a transaction. Transactions up to the start position were
	// left out by the source.
	Commit(ctx context.Context, t *Txn) error
	// Progress says that everything up to the LSN has been delivered although
	// no captured table changed (keepalives, heartbeats, others' transactions).
	Progress(ctx context.Context, at LSN) error
	// Status reports a change of state, for people: "snapshot", "streaming",
	// "retrying" with the error that caused it, nil error when all is well.
	Status(state string, err error)
	// TableError stops one table with an error; the others go on.
	TableError(table int, err error)
}

// A SnapshotKeeper is a Sink that keeps what it got of a snapshot that is
// interrupted, so that the snapshot can go on.
type SnapshotKeeper interface {
	Sink
	// SnapshotRecorded gives the last record kept, nil if there is none or the
	// snapshot it is of has ended. Rows given before the record are kept; later ones
	// may be or not.
	SnapshotRecorded(ctx context.Context) ([]byte, error)
	// SnapshotResume comes in place of SnapshotBegin when the recorded snapshot
	// goes on. What comes now is of a later position, and rows may come again: of rows with
	// the same key the later one counts.
	SnapshotResume(ctx context.Context, at LSN) error
	// SnapshotVoid says that a chunk of a table that is kept by chunk is read anew,
	// or all of a table if chunk is below 0: the rows that it had are void.
	SnapshotVoid(ctx context.Context, table, chunk int) error
	// SnapshotForget takes rows away by their keys, of rows that have only the
	// key's columns. What is not there is left out. None are kept by chunk.
	SnapshotForget(ctx context.Context, keys SnapshotChunk) error
	// SnapshotRecord offers a record of what was given so far. It may be kept
	// once that is durable, or left, but not if it says Now.
	SnapshotRecord(ctx context.Context, r SnapshotRecord) error
}

// A SnapshotRecord is how far a snapshot has come.
type SnapshotRecord struct {
	Chunks, Of int                    // done of all
	Bytes      func() ([]byte, error) // what the source goes on from; called within SnapshotRecord only
	// Now: it is durable before the call returns. What comes then takes away what
	// only the record before it tells of.
	Now bool
}

// A Source delivers a server's committed changes to a sink.
type Source interface {
	// Run delivers from start on (nil: from an initial snapshot, if the mode
	// asks for one; zero: from a new snapshot of what the sink has, by any mode, or from
	// where a SnapshotKeeper's record of it says) until
	// ctx ends or a definite error; transient ones it retries by itself with backoff.
	Run(ctx context.Context, start *Position, sink Sink) error
	// Confirm says that everything up to the position is durable here: only
	// now may the server forget it. Safe for concurrent use.
	Confirm(p Position)
	// Lag is the distance to the server: bytes of log behind, and how old the
	// last delivered commit was when it arrived.
	Lag() (bytes int64, age time.Duration)
}

// A ConfigKeeper is a Sink that keeps the source's configuration (Definition.Config).
type ConfigKeeper interface {
	// KeepConfig replaces the configuration by f of it: what the source learned
	// that its position depends on. Within a snapshot that replaces another it
	// takes effect with the snapshot's end.
	KeepConfig(ctx context.Context, f func(config []byte) ([]byte, error)) error
}

// A TableRefresher is a Sink that can have a table copied anew.
type TableRefresher interface {
	Sink
	// TableStale says that rows of a table may have come or gone without the
	// source being told: its contents are to be read anew. Its changes go on.
	// Safe for concurrent use.
	TableStale(ctx context.Context, table int, why error) error
}

// A Pacer is a Source that can be told how much to hand over at once: as much
// as its consumer's memory has room for.
type Pacer interface {
	// SetPace bounds a step of a large transaction, and with it how much may
	// wait at the consumer. Safe for concurrent use.
	SetPace(stepRows, stepBytes int)
}

// A Spooler is a Source that keeps on disk what it has received of
// transactions that have not committed.
type Spooler interface {
	// SpoolBytes is how much that is now. Safe for concurrent use.
	SpoolBytes() int64
}

// A ChunkCounter is a Source whose snapshot is read in chunks.
type ChunkCounter interface {
	// SnapshotChunks gives how many chunks of the last snapshot are done, those
	// before an interruption among them, and of how many; 0 of 0: there was none
	// since the source was made. Safe for concurrent use.
	SnapshotChunks() (done, of int64)
}

// ParseLSN reads PostgreSQL's notation; 22P02 if it is not that.
func ParseLSN(s string) (LSN, error) {
	hi, lo, ok := strings.Cut(s, "/")
	h, err1 := strconv.ParseUint(hi, 16, 32)
	l, err2 := strconv.ParseUint(lo, 16, 32)
	if !ok || err1 != nil || err2 != nil {
		return 0, pgerr.Newf(pgerr.InvalidTextRepresentation, "invalid input syntax for type pg_lsn: %q", s)
	}
	return LSN(h<<32 | l), nil
}
