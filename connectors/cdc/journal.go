package cdc

import (
	"context"
	"encoding/binary"

	"github.com/helios-sql/helios-sql/connectors"
)

// An orderedSink wants to know the order of changes across tables, and what
// else the log says: schema changes and messages.
type orderedSink interface {
	connectors.Sink
	// commitOrdered is Commit with the journal.
	// It may keep what it got until pass.
	commitOrdered(ctx context.Context, b *txnBuf) error
	// pass is called before the feed waits, for whatever.
	pass(ctx context.Context) error
	// announce gives the captured tables' definitions, before all else and
	// whenever a new snapshot begins with others.
	announce(ctx context.Context, systemID string, tables []*Table) error
}

// A journal is the order of a transaction's events.
type journal struct {
	entries  []entry
	messages []Message
	final    connectors.LSN // of the commit record
	before   connectors.LSN // up to which all was in when the transaction began
	first    bool           // nothing of the transaction was delivered before
	alone    bool           // a message outside of any transaction
}

func (j *journal) reset() {
	j.entries = j.entries[:0]
	clear(j.messages)
	j.messages = j.messages[:0]
}

type entryKind uint8

const (
	entryChange  entryKind = iota // Changes[slot], index
	entrySchema                   // table replaces old
	entryMessage                  // messages[index]
	entryForget                   // Changes[slot], index: a key of which an added table's row is void
)

type entry struct {
	kind  entryKind
	flags byte // of a TRUNCATE; 1 of an entryForget: another one of the same change follows
	slot  int32
	index int32
	seq   uint64 // number of the message in its transaction
	lsn   connectors.LSN
	table *Table // as of now
	old   *Table
}

// note enters the change that comes next, and before it what has changed of
// its table's definition.
func (a *assembler) note(rel *relation, flags byte, lsn connectors.LSN) {
	id := rel.table.ID
	c := a.changes(id)
	e := entry{kind: entryChange, flags: flags, slot: a.slot[id], index: int32(c.Len()), seq: a.messages, lsn: lsn, table: rel.version}
	if old := a.noted[id]; old != rel.version {
		a.noted[id], a.redefine = rel.version, true
		if !old.assumed {
			a.cur.entries = append(a.cur.entries, entry{kind: entrySchema, slot: int32(id), seq: a.messages, lsn: lsn, table: rel.version, old: old})
		}
	}
	a.cur.entries = append(a.cur.entries, e)
}

// message takes a logical message: of the open transaction, or by itself.
func (a *assembler) message(m Message, at connectors.LSN, size int) error {
	if m.Transactional {
		wanted, err := a.row(size)
		if err != nil || !wanted {
			return err
		}
	} else if a.open {
		return corrupt("Message outside of transactions within one")
	} else if at <= a.at.LSN {
		return nil
	} else if a.until > 0 && at > a.until {
		return errReached
	}
	if a.cur == nil {
		a.cur = a.pool.get()
	}
	b := a.cur
	b.entries = append(b.entries, entry{kind: entryMessage, index: int32(len(b.messages)), seq: a.messages, lsn: at})
	b.messages = append(b.messages, m)
	if m.Transactional {
		return nil
	}
	// Its LSN is the end of its record, and may be the start of a commit record.
	a.cur = nil
	b.Position, b.Last, b.Rows, b.Bytes, b.XID = connectors.Position{LSN: at}, true, 0, 0, 0
	b.final, b.first, b.alone = at, true, true
	b.entries[0].seq = 1
	if err := a.deliver(b); err != nil {
		return err
	}
	a.at, a.progress = connectors.Position{LSN: at}, 0
	a.m.delivered.Store(uint64(at))
	return nil
}

// The messages of our own heartbeat are no events.
const heartbeatPrefix, heartbeatContent = "helios", "heartbeat"

// message takes a Message message.
func (d *decoder) message(body []byte) error {
	if len(body) < 9 {
		return corrupt("Message of %d bytes", len(body)+1)
	}
	m := Message{Transactional: body[0]&1 != 0}
	at := connectors.LSN(binary.BigEndian.Uint64(body[1:]))
	prefix, content, ok := cString(body[9:])
	if !ok || len(content) < 4 || uint64(binary.BigEndian.Uint32(content)) != uint64(len(content)-4) {
		return corrupt("Message cut short")
	}
	m.Prefix, m.Content = prefix, append([]byte(nil), content[4:]...)
	if m.Prefix == heartbeatPrefix && string(m.Content) == heartbeatContent {
		return nil
	}
	return d.follow.asm.message(m, at, len(body)+1)
}
