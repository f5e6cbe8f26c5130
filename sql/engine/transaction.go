package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/exec/op"
	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// A transaction is a BEGIN … COMMIT block or, implicit, what a simple query
// string or the messages up to a Sync do. All its reads are at one tick; its
// changes stay in overlays until it commits as one tick.
type transaction struct {
	block    bool // explicit
	readOnly bool
	now      time.Time
	view     *readView // nil until the first statement that reads
	overlays map[catalog.ID]*overlay
	// redo are the statements of an implicit transaction that changed tables: if
	// rows changed underneath them they run again, at the latest tick.
	redo       []redo
	savepoints []savepoint
	vars       map[string]string // to go back to on ROLLBACK
	localVars  map[string]string // values that SET LOCAL hides until the end
}

type redo struct {
	st   *statement
	args []types.Datum
}

type savepoint struct {
	name     string
	overlays map[catalog.ID]*overlay
}

// begin starts a transaction if there is none.
func (s *Session) begin(block bool) *transaction {
	if s.tx == nil {
		s.tx = &transaction{now: time.Now(), vars: s.vars.values, readOnly: s.readOnly}
	}
	s.tx.block = s.tx.block || block
	return s.tx
}

// end leaves the transaction and gives back what it holds.
func (s *Session) end() {
	if tx := s.tx; tx != nil {
		if tx.view != nil {
			tx.view.release()
		}
		if tx.localVars != nil {
			s.vars.values = tx.localVars
			s.derive()
		}
	}
	s.tx, s.failed = nil, false
}

// rollback undoes the transaction.
func (s *Session) rollback() {
	if s.tx != nil {
		s.vars.values, s.tx.localVars = s.tx.vars, nil
		s.derive()
	}
	s.end()
}

// read gives the transaction's tick, which has the relations' contents.
func (s *Session) read(ctx context.Context, tx *transaction, deps []catalog.ID) (*readView, error) {
	if tx.view == nil {
		v, err := s.waitLoaded(ctx, deps)
		if err != nil {
			return nil, err
		}
		tx.view = v
		return v, nil
	}
	for _, id := range deps {
		if ok, err := s.engine.loaded(tx.view.cat, id); err != nil {
			return nil, err
		} else if !ok {
			return nil, pgerr.Newf(pgerr.ObjectNotInPrerequisite, "the contents of relation %q came after the transaction's first statement", tx.view.cat.Relation(id).Name).
				WithHint("End the transaction and try again.")
		}
	}
	return tx.view, nil
}

// Open gives a relation's arrangement as the transaction sees it.
func (tx *transaction) Open(fp physical.Fingerprint, part string) (op.Arrangement, error) {
	if part == "rows" {
		for id, o := range tx.overlays {
			if physical.RelationFingerprint(uint32(id)) == fp {
				return o, nil
			}
		}
	}
	return snapshotOpener{tx.view.snap}.Open(fp, part)
}

// overlay gives the changes of a table, to be added to.
func (tx *transaction) overlay(rel *catalog.Relation) (*overlay, error) {
	if o := tx.overlays[rel.ID]; o != nil {
		return o, nil
	}
	base, err := snapshotOpener{tx.view.snap}.Open(physical.RelationFingerprint(uint32(rel.ID)), "rows")
	if err != nil {
		return nil, err
	}
	if tx.overlays == nil {
		tx.overlays = map[catalog.ID]*overlay{}
	}
	o := newOverlay(base)
	tx.overlays[rel.ID] = o
	return o, nil
}

// commit applies the transaction as one tick and waits until it is durable.
func (s *Session) commit(ctx context.Context) error {
	tx := s.tx
	if tx == nil {
		return nil
	}
	if len(tx.overlays) == 0 {
		s.end()
		return nil
	}
	t := s.engine.ticker
	err := t.do(ctx, func() error {
		ok, err := t.unchanged(tx)
		if err != nil {
			return err
		}
		if !ok {
			if tx.block {
				return pgerr.Newf(pgerr.SerializationFailure, "could not serialize access due to concurrent update")
			}
			if err := s.again(ctx, tx); err != nil {
				return err
			}
		}
		if err := t.takeOverlays(tx); err != nil {
			return err
		}
		if err := t.step(ctx, false); err != nil {
			return err
		}
		t.publish()
		return nil
	})
	if err != nil {
		s.rollback()
		return err
	}
	sync := s.syncCommit
	s.end()
	if sync {
		return t.syncWaiting(ctx, t.committed.Load().tick)
	}
	return nil
}

// syncWaiting makes a tick durable. With a full disk it waits for room: the
// tick is committed, and others see it.
func (t *Ticker) syncWaiting(ctx context.Context, tick uint64) error {
	for {
		err := t.syncTo(tick)
		if pgerr.CodeOf(err) != pgerr.DiskFull {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return pgerr.Newf(pgerr.StatementCompletionUnknown, "the transaction is committed, but not durable yet: %w", err)
		}
	}
}

// again runs an implicit transaction's statements at the latest tick. On the loop.
func (s *Session) again(ctx context.Context, tx *transaction) error {
	tx.view.release()
	tx.view, tx.overlays = s.engine.ticker.acquire(), nil
	for _, r := range tx.redo {
		if _, err := s.change(ctx, tx, r.st, r.args, nil); err != nil {
			return err
		}
	}
	return nil
}

// unchanged reports whether every entry that a transaction changed is still
// what it was. On the loop.
func (t *Ticker) unchanged(tx *transaction) (bool, error) {
	v := t.acquire()
	defer v.release()
	if v.snap == tx.view.snap {
		return true, nil
	}
	for id, o := range tx.overlays {
		if v.cat.Relation(id) != tx.view.cat.Relation(id) {
			return false, nil
		}
		base, err := snapshotOpener{v.snap}.Open(physical.RelationFingerprint(uint32(id)), "rows")
		if err != nil {
			return false, err
		}
		same := true
		o.entries.Scan(func(e *overlayEntry) bool {
			now, ok, getErr := base.Get(e.key)
			err = getErr
			same = err == nil && ok == (e.was != nil) && bytes.Equal(now, e.was)
			return same
		})
		if err != nil || !same {
			return false, err
		}
	}
	return true, nil
}

// takeOverlays makes the tick's changes of a transaction's. On the loop.
func (t *Ticker) takeOverlays(tx *transaction) error {
	for id, o := range tx.overlays {
		rel := t.cat.Relation(id)
		if rel == nil {
			return pgerr.Newf(pgerr.UndefinedTable, "a table that the transaction changed was dropped")
		}
		ch := &zset.Changes{}
		o.entries.Scan(func(e *overlayEntry) bool {
			if len(rel.Key) > 0 {
				appendKeyed(ch, e)
			} else {
				appendCounted(ch, e)
			}
			return true
		})
		if ch.Len() > 0 {
			t.changes[uint32(id)] = ch
		}
	}
	return nil
}

func appendKeyed(ch *zset.Changes, e *overlayEntry) {
	switch {
	case e.was == nil && e.now != nil:
		ch.Append(zset.Insert, zset.OldNone, nil, e.now)
	case e.was != nil && e.now == nil:
		ch.Append(zset.Delete, zset.OldRow, e.was, nil)
	case e.was != nil && !bytes.Equal(e.was, e.now):
		ch.Append(zset.Update, zset.OldRow, e.was, e.now)
	}
}

func appendCounted(ch *zset.Changes, e *overlayEntry) {
	was, _ := binary.Uvarint(e.was)
	now, _ := binary.Uvarint(e.now)
	for ; was < now; was++ {
		ch.Append(zset.Insert, zset.OldNone, nil, e.key)
	}
	for ; was > now; was-- {
		ch.Append(zset.Delete, zset.OldRow, e.key, nil)
	}
}

// transactionStatement runs BEGIN, COMMIT and their kin and gives the tag.
func (s *Session) transactionStatement(ctx context.Context, st *ast.Transaction, out *result) (string, error) {
	switch st.Kind {
	case "begin":
		if s.tx != nil && s.tx.block {
			return "BEGIN", out.warn(pgerr.ActiveSQLTransaction, "there is already a transaction in progress")
		}
		if err := s.begin(true).setModes(st); err != nil {
			s.rollback()
			return "", err
		}
		return "BEGIN", nil
	case "set transaction":
		if s.tx == nil || !s.tx.block {
			return "SET", out.warn(pgerr.NoActiveSQLTransaction, "SET TRANSACTION can only be used in transaction blocks")
		}
		return "SET", s.tx.setModes(st)
	case "commit":
		if s.failed {
			s.rollback()
			return "ROLLBACK", s.chain(st)
		}
		if s.tx == nil || !s.tx.block {
			if err := out.warn(pgerr.NoActiveSQLTransaction, "there is no transaction in progress"); err != nil {
				return "", err
			}
		}
		if err := s.commit(ctx); err != nil {
			return "", err
		}
		return "COMMIT", s.chain(st)
	case "rollback":
		if s.tx == nil || !s.tx.block {
			if err := out.warn(pgerr.NoActiveSQLTransaction, "there is no transaction in progress"); err != nil {
				return "", err
			}
		}
		s.rollback()
		return "ROLLBACK", s.chain(st)
	case "savepoint", "release", "rollback to":
		return s.savepointStatement(st)
	}
	return "", pgerr.Unsupported(int(st.Pos), "%s", st.Kind)
}

// chain starts the next block of COMMIT AND CHAIN.
func (s *Session) chain(st *ast.Transaction) error {
	if st.Chain {
		s.begin(true)
	}
	return nil
}

func (tx *transaction) setModes(st *ast.Transaction) error {
	for _, m := range st.Modes {
		switch lowerASCII(m) {
		case "read only":
			tx.readOnly = true
		case "read write":
			tx.readOnly = false
		case "isolation level serializable":
			return pgerr.Unsupported(int(st.Pos), "isolation level SERIALIZABLE").WithHint("Transactions are REPEATABLE READ.")
		}
	}
	return nil
}

func (s *Session) savepointStatement(st *ast.Transaction) (string, error) {
	tag := map[string]string{"savepoint": "SAVEPOINT", "release": "RELEASE", "rollback to": "ROLLBACK"}[st.Kind]
	if s.tx == nil || !s.tx.block {
		word := map[string]string{"savepoint": "SAVEPOINT", "release": "RELEASE SAVEPOINT", "rollback to": "ROLLBACK TO SAVEPOINT"}[st.Kind]
		return "", pgerr.Newf(pgerr.NoActiveSQLTransaction, "%s can only be used in transaction blocks", word)
	}
	tx := s.tx
	if st.Kind == "savepoint" {
		tx.savepoints = append(tx.savepoints, savepoint{st.Name, cloneOverlays(tx.overlays)})
		return tag, nil
	}
	for i := len(tx.savepoints) - 1; i >= 0; i-- {
		if sp := tx.savepoints[i]; sp.name == st.Name {
			if st.Kind == "release" {
				tx.savepoints = tx.savepoints[:i]
				return tag, nil
			}
			tx.savepoints = tx.savepoints[:i+1]
			tx.overlays, s.failed = cloneOverlays(sp.overlays), false
			return tag, nil
		}
	}
	return "", pgerr.Newf("3B001", "savepoint %q does not exist", st.Name)
}

func cloneOverlays(m map[catalog.ID]*overlay) map[catalog.ID]*overlay {
	out := make(map[catalog.ID]*overlay, len(m))
	for id, o := range m {
		out[id] = o.clone()
	}
	return out
}

// writable refuses writes in a read-only transaction.
func (tx *transaction) writable(what string) error {
	if tx.readOnly {
		return pgerr.Newf(pgerr.ReadOnlySQLTransaction, "cannot execute %s in a read-only transaction", what)
	}
	return nil
}

// outsideBlock refuses a statement inside BEGIN … COMMIT.
func (s *Session) outsideBlock(what string) error {
	if s.tx != nil && s.tx.block {
		return pgerr.Newf(pgerr.ActiveSQLTransaction, "%s cannot run inside a transaction block", what)
	}
	return nil
}
