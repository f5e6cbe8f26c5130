package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A systemRelation is computed when it is read.
type systemRelation struct {
	rel  *catalog.Relation
	rows func(s *Session, v *readView, row *rowBuilder) error
}

// systemRelations are the relations of the schemas helios, pg_catalog and
// information_schema. The IDs of helios follow their order here: append only; the
// others' are PostgreSQL's.
type systemRelations struct {
	all  []*systemRelation
	byID map[catalog.ID]*systemRelation
}

func newSystemRelations(e *Engine) *systemRelations {
	sr := &systemRelations{byID: map[catalog.ID]*systemRelation{}}
	sr.addHelios(e)
	sr.addPostgres()
	return sr
}

// add registers a relation; cols are names and types in turn.
func (sr *systemRelations) add(schema, name string, cols []types.Column, rows func(s *Session, v *readView, row *rowBuilder) error) {
	sr.put(&catalog.Relation{ID: catalog.ID(1000 + len(sr.all)), Schema: schema, Name: name, Kind: catalog.System, Columns: cols}, rows)
}

func (sr *systemRelations) put(rel *catalog.Relation, rows func(s *Session, v *readView, row *rowBuilder) error) {
	if sr.byID[rel.ID] != nil {
		panic(fmt.Sprintf("two system relations %d", rel.ID))
	}
	r := &systemRelation{rel: rel, rows: rows}
	sr.all, sr.byID[rel.ID] = append(sr.all, r), r
}

func (sr *systemRelations) relations() []*catalog.Relation {
	out := make([]*catalog.Relation, len(sr.all))
	for i, r := range sr.all {
		out[i] = r.rel
	}
	return out
}

// rows computes a relation's rows.
func (sr *systemRelations) rows(s *Session, v *readView, id uint32, emit func(types.Row) error) error {
	r := sr.byID[catalog.ID(id)]
	if r == nil {
		return pgerr.Newf(pgerr.InternalError, "no system relation %d", id)
	}
	return r.rows(s, v, &rowBuilder{cols: r.rel.Columns, emit: emit})
}

// A rowBuilder packs one row after another, value by value.
type rowBuilder struct {
	cols []types.Column
	buf  []byte
	n    int
	emit func(types.Row) error
}

func (b *rowBuilder) put(d types.Datum) *rowBuilder {
	b.buf = types.AppendDatum(b.buf, b.cols[b.n].Type.OID, d)
	b.n++
	return b
}

func (b *rowBuilder) text(v string) *rowBuilder { return b.put(types.DString(v)) }
func (b *rowBuilder) int(v int64) *rowBuilder   { return b.put(types.DInt(v)) }
func (b *rowBuilder) bool(v bool) *rowBuilder   { return b.put(types.DBool(v)) }
func (b *rowBuilder) null() *rowBuilder         { return b.put(types.NullDatum) }

// opt is a text that is NULL when it is empty.
func (b *rowBuilder) opt(v string) *rowBuilder {
	if v == "" {
		return b.null()
	}
	return b.text(v)
}

func (b *rowBuilder) time(t time.Time) *rowBuilder {
	if t.IsZero() {
		return b.null()
	}
	return b.int(micros(t))
}

// end hands out the row.
func (b *rowBuilder) end() error {
	if b.n != len(b.cols) {
		panic(fmt.Sprintf("system relation: %d values for %d columns", b.n, len(b.cols)))
	}
	row := types.Row(b.buf)
	b.buf, b.n = b.buf[:0], 0
	return b.emit(row)
}

// column makes a column of a type without modifier.
func column(name string, oid types.OID) types.Column {
	return types.Column{Name: name, Type: types.T(oid)}
}

// addHelios adds the relations that show the engine at work.
func (sr *systemRelations) addHelios(e *Engine) {
	sr.add("helios", "sources", []types.Column{
		column("id", types.OIDType), column("name", types.Text), column("state", types.Text), column("since", types.TimestampTZ),
		column("lsn", types.Text), column("lag_bytes", types.Int8), column("lag_ms", types.Int8), column("snapshot_rows", types.Int8),
		column("snapshot_chunks_done", types.Int8), column("snapshot_chunks", types.Int8),
		column("transactions", types.Int8), column("changes", types.Int8), column("last_error", types.Text), column("altering", types.Text)},
		func(_ *Session, v *readView, row *rowBuilder) error { return e.sourceRows(v, row) })
	sr.add("helios", "views", []types.Column{
		column("id", types.OIDType), column("schema", types.Text), column("name", types.Text), column("state", types.Text),
		column("hydrated_rows", types.Int8), column("behind_rows", types.Int8), column("rows", types.Int8), column("state_bytes", types.Int8),
		column("tick", types.Int8), column("positions", types.Text), column("last_error", types.Text), column("definition", types.Text)},
		func(_ *Session, v *readView, row *rowBuilder) error { return e.viewRows(v, row) })
	sr.add("helios", "ticks", []types.Column{
		column("tick", types.Int8), column("source", types.Text), column("lsn", types.Text), column("published_at", types.TimestampTZ),
		column("durable", types.Bool)},
		func(_ *Session, v *readView, row *rowBuilder) error { return e.tickRows(v, row) })
	sr.add("helios", "relations", []types.Column{
		column("id", types.OIDType), column("schema", types.Text), column("name", types.Text), column("kind", types.Text),
		column("source", types.Text), column("last_error", types.Text)},
		func(_ *Session, v *readView, row *rowBuilder) error {
			for _, r := range v.cat.Relations() {
				if r.Kind == catalog.System {
					continue
				}
				source, failure := "", ""
				if src := v.cat.Source(r.Source); src != nil {
					source = src.Name
				}
				if r.Error != nil {
					failure = r.Error.Message
				}
				if err := row.int(int64(r.ID)).text(r.Schema).text(r.Name).text(string(r.Kind)).opt(source).opt(failure).end(); err != nil {
					return err
				}
			}
			return nil
		})
	sr.add("helios", "secrets", []types.Column{column("id", types.OIDType), column("name", types.Text), column("sources", types.Text)},
		func(_ *Session, v *readView, row *rowBuilder) error { return e.secretRows(v, row) })
}

func (e *Engine) sourceRows(v *readView, row *rowBuilder) error {
	for _, src := range v.cat.Sources() {
		row.int(int64(src.ID)).text(src.Name)
		r := e.sourceRunner(src.ID)
		if r == nil {
			state := "starting"
			if src.Dropping {
				state = "dropping"
			}
			if err := row.text(state).null().null().null().null().null().null().null().null().null().null().null().end(); err != nil {
				return err
			}
			continue
		}
		r.mu.Lock()
		state, failure, at, snapshot, source := r.mu.state, r.mu.err, r.mu.since, r.mu.snapshotRows, r.source
		chunks := snapshotChunks(source, r.mu.chunks)
		r.mu.Unlock()
		row.text(state).time(at)
		if lsn := v.lsn(src.ID); lsn > 0 {
			row.text(lsn.String())
		} else {
			row.null()
		}
		if source != nil {
			bytes, age := source.Lag()
			row.int(bytes).int(age.Milliseconds())
		} else {
			row.null().null()
		}
		message := ""
		if failure != nil {
			message = pgerr.Flatten(failure).Message
		} else {
			message = stoppedTables(v.cat, src.ID)
		}
		row.int(snapshot)
		if chunks[1] > 0 {
			row.int(chunks[0]).int(chunks[1])
		} else {
			row.null().null()
		}
		if err := row.int(r.transactions.Load()).int(r.changes.Load()).opt(message).opt(e.altering(src)).end(); err != nil {
			return err
		}
	}
	return nil
}

// stoppedTables tells what tables of a source have stopped with, "" if none has.
func stoppedTables(cat *catalog.Snapshot, source catalog.ID) string {
	var list []string
	for _, r := range cat.Relations() {
		if r.Source == source && r.Error != nil {
			list = append(list, fmt.Sprintf("table %q has stopped: %s", r.Name, r.Error.Message))
		}
	}
	return strings.Join(list, "; ")
}

// positionsOf gives the vector of positions that a view is at: of each source
// that it reads, directly or through other views.
func (v *readView) positionsOf(r *catalog.Relation) string {
	var list []string
	seen := map[catalog.ID]bool{}
	var visit func(*catalog.Relation)
	visit = func(r *catalog.Relation) {
		if src := v.cat.Source(r.Source); src != nil && !seen[src.ID] {
			seen[src.ID] = true
			list = append(list, src.Name+" "+v.lsn(src.ID).String())
		}
		for _, id := range r.Deps {
			if d := v.cat.Relation(id); d != nil && !seen[id] {
				seen[id] = true
				visit(d)
			}
		}
	}
	visit(r)
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func (e *Engine) viewRows(v *readView, row *rowBuilder) error {
	for _, h := range e.hydrations.all() {
		err := row.int(int64(h.rel.ID)).text(h.rel.Schema).text(h.rel.Name).text("hydrating").
			int(h.rows.Load()).int(h.behind.Load()).null().null().null().null().null().text(h.rel.Query).end()
		if err != nil {
			return err
		}
	}
	sizes, err := e.stateSizes()
	if err != nil {
		return err
	}
	for _, r := range v.cat.Relations() {
		if r.Kind != catalog.MaterializedView {
			continue
		}
		state, message := "running", ""
		if err := e.relationErrors(v.cat, []catalog.ID{r.ID}); err != nil {
			state, message = "stopped", err.Error()
		} else if err := e.viewError(v, r); err != nil {
			state, message = "error", err.Error()
		}
		rows, err := e.countRows(v, r)
		if err != nil {
			return err
		}
		err = row.int(int64(r.ID)).text(r.Schema).text(r.Name).text(state).null().null().
			int(rows).int(sizes[r.ID]).int(int64(v.tick)).opt(v.positionsOf(r)).opt(message).text(r.Query).end()
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) tickRows(v *readView, row *rowBuilder) error {
	e.ticker.syncing.Lock()
	durable := e.ticker.syncing.durable >= v.tick
	e.ticker.syncing.Unlock()
	for _, p := range v.positions {
		name := ""
		if src := v.cat.Source(p.source); src != nil {
			name = src.Name
		}
		if err := row.int(int64(v.tick)).opt(name).text(p.position.LSN.String()).time(v.at).bool(durable).end(); err != nil {
			return err
		}
	}
	if len(v.positions) == 0 {
		return row.int(int64(v.tick)).null().null().time(v.at).bool(durable).end()
	}
	return nil
}

// micros is a time as timestamptz holds it: µs since 2000-01-01 UTC.
func micros(t time.Time) int64 { return t.UnixMicro() - 946_684_800_000_000 }
