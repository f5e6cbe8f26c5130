package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// An alteration is the copy of one table that ALTER SOURCE waits for. A source
// has at most one.
type alteration struct {
	what   string // for helios.sources
	rows   atomic.Int64
	source atomic.Pointer[connectors.Source] // that copies
	cancel context.CancelCauseFunc
	ended  chan struct{} // closed when nothing of it is left
}

func (s *Session) alterSource(ctx context.Context, st *ast.AlterSource, out *result) error {
	if len(st.Name) != 1 {
		return pgerr.Newf(pgerr.InvalidName, "a source has no schema").At(int(st.Pos))
	}
	switch st.Action {
	case "add table":
		return s.addSourceTable(ctx, st, out)
	case "drop table":
		return s.dropSourceTable(ctx, st, out)
	}
	return s.refreshSourceTable(ctx, st)
}

// An alterable is a source whose tables can be changed.
type alterable struct {
	*catalog.Source
	def       *connectors.Definition
	connector connectors.TableChanger
}

// alterable finds a source to be altered. The caller holds e.ddl.
func (e *Engine) alterable(name string, pos ast.Pos) (*alterable, error) {
	src := e.Catalog().SourceByName(name)
	if src == nil || src.Dropping {
		return nil, pgerr.Newf(pgerr.UndefinedObject, "source %q does not exist", name)
	}
	a, err := e.changer(src)
	if err != nil {
		return nil, err
	}
	if a.connector == nil {
		return nil, pgerr.Unsupported(int(pos), "ALTER SOURCE for connector %q", src.Connector)
	}
	if e.isFinished(src.ID) {
		return nil, pgerr.Newf(pgerr.ObjectNotInPrerequisite, "source %q has ended: it follows no changes", name)
	}
	if src.Copying != nil {
		return nil, pgerr.Newf(pgerr.ObjectInUse, "source %q is being altered: %s", name, what(src.Copying)).
			WithHint("Wait until that has ended, or cancel it.")
	}
	return a, nil
}

func (e *Engine) changer(src *catalog.Source) (*alterable, error) {
	def, err := e.definition(src)
	connector, _ := e.opts.Connectors[src.Connector].(connectors.TableChanger)
	return &alterable{src, def, connector}, err
}

// index finds a table by its upstream name; −1: it is not captured.
func (a *alterable) index(schema, name string) int {
	return slices.IndexFunc(a.def.Tables, func(t connectors.Table) bool { return t.Schema == schema && t.Name == name })
}

// redefine gives a source's entry in the catalog another definition; the
// source may have changed its own meanwhile.
func (e *Engine) redefine(c *catalog.Snapshot, id catalog.ID, f func(*connectors.Definition) (*connectors.Definition, error)) (*catalog.Snapshot, error) {
	src := *c.Source(id)
	def, err := e.definition(&src)
	if err == nil {
		def, err = f(def)
	}
	if err != nil {
		return nil, err
	}
	if src.Config, err = json.Marshal(def); err != nil {
		return nil, fmt.Errorf("encoding source %q: %w", src.Name, err)
	}
	return c.WithSource(src.EndCopy())
}

// beginAlteration notes that a source is being altered; end ends that.
func (e *Engine) beginAlteration(ctx context.Context, src catalog.ID, what string) (actx context.Context, a *alteration, end func()) {
	actx, cancel := context.WithCancelCause(ctx)
	a = &alteration{what: what, cancel: cancel, ended: make(chan struct{})}
	e.sources.Lock()
	defer e.sources.Unlock()
	e.sources.altering[src] = a
	return actx, a, func() {
		cancel(nil)
		e.sources.Lock()
		delete(e.sources.altering, src)
		e.sources.Unlock()
		close(a.ended)
	}
}

// endAlteration ends what alters a source, if anything does, and waits for it.
func (e *Engine) endAlteration(src catalog.ID) {
	e.sources.Lock()
	a := e.sources.altering[src]
	e.sources.Unlock()
	if a != nil {
		a.cancel(pgerr.Newf(pgerr.QueryCanceled, "canceling statement because the source was dropped"))
		<-a.ended
	}
}

// altering tells what alters a source and how far it is, or what is left of
// that; "" if nothing does.
func (e *Engine) altering(src *catalog.Source) string {
	e.sources.Lock()
	defer e.sources.Unlock()
	if a := e.sources.altering[src.ID]; a != nil {
		text := fmt.Sprintf("%s: %d rows", a.what, a.rows.Load())
		if source := a.source.Load(); source != nil {
			if c := snapshotChunks(*source, [2]int64{}); c[1] > 0 {
				text += fmt.Sprintf(", %d of %d chunks", c[0], c[1])
			}
		}
		return text
	}
	if src.Copying != nil {
		return what(src.Copying) // of which the process that has started does not know yet
	}
	if len(src.Ended) > 0 {
		return "dropping the slot of a copy that has ended"
	}
	return ""
}

// addSourceTable is ALTER SOURCE … ADD TABLE. It returns when the table can be read.
func (s *Session) addSourceTable(ctx context.Context, st *ast.AlterSource, out *result) error {
	e := s.engine
	unlock, err := e.lockDDL(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	src, err := e.alterable(st.Name[0], st.Pos)
	if err != nil {
		return err
	}
	spec := tableSpec(st.Table)
	name := quoteTable(spec.Schema, spec.Name)
	if src.index(spec.Schema, spec.Name) >= 0 {
		err := pgerr.Newf(pgerr.DuplicateObject, "table %s is already part of source %q", name, src.Name).At(spec.Pos)
		if st.IfNotExists {
			err.Severity, err.Message = "NOTICE", err.Message+", skipping"
			return out.notice(err)
		}
		return err
	}
	if !src.Snapshotted {
		return pgerr.Newf(pgerr.ObjectNotInPrerequisite, "the initial snapshot of source %q is not in yet", src.Name).
			WithHint("Wait until helios.sources shows it as streaming.")
	}
	one, unpublished, err := src.connector.CopyTable(ctx, src.def, spec, nil)
	if err != nil {
		return err
	}
	rel, err := captured(e.Catalog(), src.ID, one.Tables[0], one.As[0], s.path)
	if err != nil {
		return err
	}
	if _, err := e.Catalog().WithRelation(rel); err != nil {
		return err // the name is another's: it is said at once
	}
	return e.copying(ctx, unlock, src, one, &catalog.TableCopy{Relation: rel, Published: unpublished})
}

func quoteTable(schema, name string) string {
	q := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
	return q(schema) + "." + q(name)
}

// sourceTable finds a table of a source by its name here or upstream.
func (s *Session) sourceTable(src *alterable, name []string, pos ast.Pos) (*catalog.Relation, int, error) {
	cat := s.engine.Catalog()
	if rel := s.lookup(cat, name); rel != nil && rel.Source == src.ID {
		return rel, src.index(rel.UpstreamSchema, rel.UpstreamName), nil
	}
	up := tableSpec(ast.SourceTable{Name: name})
	for _, rel := range cat.Relations() {
		if rel.Source == src.ID && rel.UpstreamSchema == up.Schema && rel.UpstreamName == up.Name {
			return rel, src.index(up.Schema, up.Name), nil
		}
	}
	return nil, 0, pgerr.Newf(pgerr.UndefinedTable, "table %q is not part of source %q", strings.Join(name, "."), src.Name).At(int(pos))
}

// dropSourceTable is ALTER SOURCE … DROP TABLE.
func (s *Session) dropSourceTable(ctx context.Context, st *ast.AlterSource, out *result) error {
	e := s.engine
	unlock, err := e.lockDDL(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	src, err := e.alterable(st.Name[0], st.Pos)
	if err != nil {
		return err
	}
	rel, index, err := s.sourceTable(src, st.Table.Name, st.Table.Pos)
	if err != nil {
		if st.IfExists {
			return out.notice(skipping("table", st.Table.Name[len(st.Table.Name)-1]))
		}
		return err
	}
	if len(src.def.Tables) == 1 {
		return pgerr.Newf(pgerr.ObjectNotInPrerequisite, "%q is the only table of source %q", rel.Name, src.Name).WithHint("Use DROP SOURCE.")
	}
	all, err := withDependents(e.Catalog(), []*catalog.Relation{rel}, st.Cascade)
	if err != nil {
		return err
	}
	if err := noticeCascade(out, all[:len(all)-1]); err != nil {
		return err
	}
	r := e.sourceRunner(src.ID)
	if !r.stopped.Load() {
		if _, err := r.halt(ctx); err != nil {
			return err
		}
		defer e.resumeSource(r)
	}
	err = e.ticker.doNow(ctx, func() error {
		t := e.ticker
		cat, err := e.redefine(t.cat, src.ID, func(def *connectors.Definition) (*connectors.Definition, error) {
			return src.connector.WithoutTable(def, index)
		})
		if err != nil {
			return err
		}
		for _, r := range all {
			cat = t.dropRelation(cat, r)
		}
		return t.commitCatalog(cat)
	})
	if err == nil {
		err = e.ticker.syncTo(e.ticker.committed.Load().tick)
	}
	if err != nil {
		return err
	}
	pctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if err := src.connector.Unpublish(pctx, src.def, src.def.Tables[index]); err != nil {
		n := pgerr.Newf(pgerr.Warning, "the table is still in the source's publication: %s", err)
		n.Severity = "WARNING"
		return out.notice(n)
	}
	return nil
}

// refreshSourceTable is ALTER SOURCE … REFRESH TABLE: the table is copied
// again, and what differs is one change of it. A table that no view reads takes
// its present definition.
func (s *Session) refreshSourceTable(ctx context.Context, st *ast.AlterSource) error {
	e := s.engine
	unlock, err := e.lockDDL(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	src, err := e.alterable(st.Name[0], st.Pos)
	if err != nil {
		return err
	}
	rel, index, err := s.sourceTable(src, st.Table.Name, st.Table.Pos)
	if err != nil {
		return err
	}
	return e.refreshSourceTable(ctx, unlock, src, rel, index, st.Table.Pos)
}

// refreshSourceTable refreshes a table with e.ddl held, which unlock gives back.
func (e *Engine) refreshSourceTable(ctx context.Context, unlock func(), src *alterable, rel *catalog.Relation, index int, pos ast.Pos) error {
	if !src.Snapshotted {
		return pgerr.Newf(pgerr.ObjectNotInPrerequisite, "the initial snapshot of source %q is not in yet", src.Name)
	}
	spec := connectors.TableSpec{Schema: rel.UpstreamSchema, Name: rel.UpstreamName, As: src.def.As[index], Pos: int(pos)}
	deps := e.Catalog().Dependents(rel.ID)
	if len(deps) > 0 {
		for _, c := range rel.Columns {
			spec.Columns = append(spec.Columns, c.Name)
		}
	}
	one, unpublished, err := src.connector.CopyTable(ctx, src.def, spec, &src.def.Tables[index])
	if err != nil {
		if len(deps) > 0 && pgerr.CodeOf(err) == pgerr.UndefinedColumn {
			return refreshError(rel, deps, err.Error())
		}
		return err
	}
	now := one.Tables[0]
	if len(deps) > 0 && !follows(rel, now) {
		return refreshError(rel, deps, "its columns or its key have changed")
	}
	fresh := *rel
	fresh.Partitioned = now.Partitioned
	fresh.Columns, fresh.Key, fresh.UpstreamSchema, fresh.UpstreamName, fresh.Error = now.Columns, now.Key, now.Schema, now.Name, nil
	return e.copying(ctx, unlock, src, one, &catalog.TableCopy{Relation: &fresh, Published: unpublished, Of: rel.ID, Stale: src.Stale[staleName(rel)]})
}

// follows reports whether views over a relation stay right when it is filled
// from a table: with the same columns and key, and not partitioned if it was not.
func follows(rel *catalog.Relation, t connectors.Table) bool {
	return slices.Equal(rel.Key, t.Key) && (rel.Partitioned || !t.Partitioned) && slices.EqualFunc(rel.Columns, t.Columns, func(was, is types.Column) bool {
		return was.Name == is.Name && was.Type == is.Type && (is.NotNull || !was.NotNull)
	})
}

func refreshError(rel *catalog.Relation, deps []*catalog.Relation, why string) error {
	err := pgerr.Newf(pgerr.DependentObjectsStillExist, "cannot refresh %s with its present definition because views depend on it: %s", rel.Name, why)
	var names []string
	for _, d := range deps {
		names = append(names, fmt.Sprintf("%s %s depends on %s %s", d.Kind, d.Name, kindName(rel.Kind), rel.Name))
	}
	err.Detail, err.Hint = strings.Join(names, "\n"), "Drop these views, refresh the table, and create them again."
	return err
}
