package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/exec/eval"
	"github.com/helios-sql/helios-sql/sql/exec/op"
	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/binder"
	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// executeDML runs INSERT, UPDATE or DELETE against the transaction's overlays.
func (s *Session) executeDML(ctx context.Context, tx *transaction, st *statement, args []types.Datum, out *result) (string, error) {
	word := map[binder.DMLKind]string{binder.Insert: "INSERT", binder.Update: "UPDATE", binder.Delete: "DELETE"}[st.dml.Kind]
	if err := tx.writable(word); err != nil {
		return "", err
	}
	if st.cols != nil {
		if err := out.columns(st.cols); err != nil {
			return "", err
		}
	}
	n, err := s.change(ctx, tx, st, args, out)
	if err != nil {
		return "", err
	}
	if !tx.block {
		tx.redo = append(tx.redo, redo{st, args})
	}
	if word == "INSERT" {
		return fmt.Sprintf("INSERT 0 %d", n), nil
	}
	return fmt.Sprintf("%s %d", word, n), nil
}

// change computes a statement's rows and puts them into the table's overlay;
// out (may be nil) gets RETURNING's rows. An error leaves the overlay as it was.
func (s *Session) change(ctx context.Context, tx *transaction, st *statement, args []types.Datum, out *result) (n int, err error) {
	rel := st.dml.Relation
	o, err := tx.overlay(rel)
	if err != nil {
		return 0, err
	}
	before := o.clone()
	defer func() {
		if err != nil {
			tx.overlays[rel.ID] = before
		}
	}()
	var rows zset.Batch
	ec := s.evalContext(tx)
	budget := s.memory
	err = s.scan(ctx, tx, nil, substitute(st.plan, args).Root, nil, ec, func(row types.Row, w int64) error {
		for ; w > 0; w-- {
			rows.Append(row, 1)
		}
		if rows.Bytes() > budget {
			return pgerr.Newf(pgerr.OutOfMemory, "the statement changes more than the %d bytes that a query may use", budget).
				WithHint("Raise helios.query_memory.")
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	w := newTableWriter(rel, o, &s.format)
	returned, err := w.apply(st.dml, &rows, ec)
	if err != nil {
		return 0, err
	}
	if o.bytes > budget {
		return 0, pgerr.Newf(pgerr.OutOfMemory, "the transaction changes more than the %d bytes that a query may use", budget)
	}
	if len(st.dml.Returning) == 0 || out == nil {
		return returned.Len(), nil
	}
	return returned.Len(), returning(st.dml, returned, ec, out)
}

// returning sends RETURNING's rows.
func returning(d *binder.DML, rows *zset.Batch, ec *eval.Context, out *result) error {
	proj, err := eval.CompileProjection(d.Returning, d.Source.Schema().Types())
	if err != nil {
		return err
	}
	f := eval.NewFrame(ec)
	var buf []byte
	for i := range rows.Len() {
		f.SetRow(rows.Row(i))
		if buf, err = proj.AppendRow(f, buf[:0]); err != nil {
			return err
		}
		if err := out.Row(buf); err != nil {
			return err
		}
	}
	return nil
}

// A tableWriter puts rows into a table's overlay and keeps its constraints.
type tableWriter struct {
	rel     *catalog.Relation
	types   []types.Type
	overlay *overlay
	format  *types.Format
	enc     *op.BaseEncoder
	spans   []types.Span
}

func newTableWriter(rel *catalog.Relation, o *overlay, f *types.Format) *tableWriter {
	ts := rel.Columns.Types()
	return &tableWriter{rel: rel, types: ts, overlay: o, format: f, enc: op.NewBaseEncoder(ts, rel.Key)}
}

// apply changes the table by a statement's rows, which have the columns of
// binder.DML.Source, and gives those that counted: what RETURNING sees.
func (w *tableWriter) apply(d *binder.DML, rows *zset.Batch, ec *eval.Context) (*zset.Batch, error) {
	if d.Kind == binder.Insert {
		return w.insertAll(d, rows, ec)
	}
	n := len(w.types)
	columns := len(d.Source.Schema())
	if d.Kind == binder.Update {
		columns -= n
	}
	if columns > n { // FROM or USING: an old row may come up several times, the first counts
		if len(w.rel.Key) == 0 {
			return nil, pgerr.Unsupported(0, "FROM or USING on a table without a primary key")
		}
		rows = w.firsts(rows)
	}
	// All old rows go first, so that an UPDATE may exchange keys.
	for i := range rows.Len() {
		if err := w.remove(rows.Row(i)[:end(rows.Row(i), n)]); err != nil {
			return nil, err
		}
	}
	if d.Kind == binder.Delete {
		return rows, nil
	}
	for i := range rows.Len() {
		row := rows.Row(i)
		now := row[end(row, n):end(row, 2*n)]
		if err := w.check(now); err != nil {
			return nil, err
		}
		if ok, err := w.insert(now); err != nil {
			return nil, err
		} else if !ok {
			return nil, w.duplicate(now)
		}
	}
	return rows, nil
}

// end is where the first n values of a row end.
func end(row types.Row, n int) int {
	off := 0
	for range n {
		off = types.Skip(row, off)
	}
	return off
}

// firsts keeps the first of the rows whose old rows have the same key.
func (w *tableWriter) firsts(rows *zset.Batch) *zset.Batch {
	out := &zset.Batch{}
	seen := map[string]bool{}
	for i := range rows.Len() {
		row := rows.Row(i)
		key, _ := w.enc.Encode(row[:end(row, len(w.types))])
		if !seen[string(key)] {
			seen[string(key)] = true
			out.Append(row, 1)
		}
	}
	return out
}

func (w *tableWriter) insertAll(d *binder.DML, rows *zset.Batch, ec *eval.Context) (*zset.Batch, error) {
	var c *conflict
	if d.Conflict != nil {
		var err error
		if c, err = newConflict(w, d.Conflict, ec); err != nil {
			return nil, err
		}
	}
	inserted := &zset.Batch{}
	for i := range rows.Len() {
		row := rows.Row(i)
		if err := w.check(row); err != nil {
			return nil, err
		}
		ok, err := w.insert(row)
		if err != nil {
			return nil, err
		}
		switch {
		case ok && c != nil:
			c.mine(row)
			fallthrough
		case ok:
			inserted.Append(row, 1)
		case c == nil:
			return nil, w.duplicate(row)
		default:
			now, err := c.resolve(row)
			if err != nil {
				return nil, err
			}
			if now != nil {
				inserted.Append(now, 1)
			}
		}
	}
	return inserted, nil
}

// A conflict is ON CONFLICT at work.
type conflict struct {
	w     *tableWriter
	frame *eval.Frame
	set   *eval.Projection // nil: DO NOTHING
	where *eval.Program    // nil: always
	seen  map[string]bool  // keys that this statement has written
	pair  []byte
	buf   []byte
}

func newConflict(w *tableWriter, d *binder.Conflict, ec *eval.Context) (c *conflict, err error) {
	c = &conflict{w: w, frame: eval.NewFrame(ec), seen: map[string]bool{}}
	in := append(w.types[:len(w.types):len(w.types)], w.types...)
	if d.Update != nil {
		if c.set, err = eval.CompileProjection(d.Update, in); err != nil {
			return nil, err
		}
	}
	if d.Where != nil {
		c.where, err = eval.Compile(d.Where, in)
	}
	return c, err
}

// mine notes that the statement itself has written a row.
func (c *conflict) mine(row types.Row) {
	key, _ := c.w.enc.Encode(row)
	c.seen[string(key)] = true
}

// resolve does what is to be done about a row whose key is taken, and gives
// the row it put there; nil for none.
func (c *conflict) resolve(row types.Row) (types.Row, error) {
	if c.set == nil {
		return nil, nil
	}
	w := c.w
	key, _ := w.enc.Encode(row)
	if c.seen[string(key)] {
		return nil, pgerr.Newf(pgerr.CardinalityViolation, "ON CONFLICT DO UPDATE command cannot affect row a second time").
			WithHint("Ensure that no rows proposed for insertion within the same command have duplicate constrained values.")
	}
	old, _, err := w.overlay.Get(key)
	if err != nil {
		return nil, err
	}
	c.pair = append(append(c.pair[:0], old...), row...)
	c.frame.SetRow(c.pair)
	if c.where != nil {
		if ok, err := c.where.Bool(c.frame); !ok || err != nil {
			return nil, err
		}
	}
	if c.buf, err = c.set.AppendRow(c.frame, c.buf[:0]); err != nil {
		return nil, err
	}
	now := types.Row(c.buf)
	if err := w.check(now); err != nil {
		return nil, err
	}
	if err := w.remove(c.pair[:len(old)]); err != nil {
		return nil, err
	}
	if ok, err := w.insert(now); err != nil {
		return nil, err
	} else if !ok {
		return nil, w.duplicate(now)
	}
	c.mine(now)
	return now, nil
}

// check keeps NOT NULL.
func (w *tableWriter) check(row types.Row) error {
	w.spans = row.Spans(len(w.types), w.spans)
	for i, c := range w.rel.Columns {
		if c.NotNull && w.spans[i].Len < 0 {
			return pgerr.Newf(pgerr.NotNullViolation, "null value in column %q of relation %q violates not-null constraint", c.Name, w.rel.Name).
				WithDetail("Failing row contains %s.", w.describe(row, nil))
		}
	}
	return nil
}

// insert adds a row; false if its key is taken.
func (w *tableWriter) insert(row types.Row) (bool, error) {
	if len(w.rel.Key) == 0 {
		return true, op.AddCount(w.overlay, row, 1)
	}
	key, value := w.enc.Encode(row)
	_, taken, err := w.overlay.Get(key)
	if taken || err != nil {
		return false, err
	}
	return true, w.overlay.Set(key, value)
}

// remove deletes a row that is there.
func (w *tableWriter) remove(row types.Row) error {
	if len(w.rel.Key) == 0 {
		return op.AddCount(w.overlay, row, -1)
	}
	key, _ := w.enc.Encode(row)
	return w.overlay.Delete(key)
}

// duplicate is the error of a key that is taken.
func (w *tableWriter) duplicate(row types.Row) error {
	var names []string
	for _, k := range w.rel.Key {
		names = append(names, w.rel.Columns[k].Name)
	}
	return pgerr.Newf(pgerr.UniqueViolation, "duplicate key value violates unique constraint %q", w.rel.Name+"_pkey").
		WithDetail("Key (%s)=%s already exists.", strings.Join(names, ", "), w.describe(row, w.rel.Key))
}

// describe prints columns of a row (nil: all) as PostgreSQL's messages do.
func (w *tableWriter) describe(row types.Row, cols []int) string {
	if cols == nil {
		for i := range w.types {
			cols = append(cols, i)
		}
	}
	spans := row.Spans(len(w.types), nil)
	b := []byte{'('}
	for i, c := range cols {
		if i > 0 {
			b = append(b, ", "...)
		}
		if sp := spans[c]; sp.Len < 0 {
			b = append(b, "null"...)
		} else {
			b = w.format.AppendText(b, w.types[c].OID, row[sp.Off:sp.Off+sp.Len])
		}
	}
	return string(append(b, ')'))
}

// truncate empties internal tables, in the transaction.
func (s *Session) truncate(ctx context.Context, tx *transaction, n *ast.Truncate) error {
	if err := tx.writable("TRUNCATE TABLE"); err != nil {
		return err
	}
	v, err := s.read(ctx, tx, nil)
	if err != nil {
		return err
	}
	for _, t := range n.Tables {
		rel := s.lookup(v.cat, t.Name)
		if rel == nil {
			return pgerr.Newf(pgerr.UndefinedTable, "relation %q does not exist", strings.Join(t.Name, ".")).At(int(t.Pos))
		}
		if rel.Kind != catalog.Table {
			return pgerr.Newf(pgerr.WrongObjectType, "%q is not a table", rel.Name).At(int(t.Pos))
		}
		o, err := tx.overlay(rel)
		if err != nil {
			return err
		}
		c, err := o.base.Cursor()
		if err != nil {
			return err
		}
		for ok := c.Range(nil, nil); ok; ok = c.Next() {
			if err := o.Delete(c.Key()); err != nil {
				_ = c.Close()
				return err
			}
		}
		if err := c.Close(); err != nil {
			return err
		}
		o.entries.Scan(func(e *overlayEntry) bool {
			if e.was == nil && e.now != nil {
				o.entries.Set(&overlayEntry{key: e.key})
			}
			return true
		})
	}
	return nil
}
