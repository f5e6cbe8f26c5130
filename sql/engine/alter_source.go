package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
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
	e.sources.Lock()
	defer e.sources.Unlock()
	if al := e.sources.altering[src.ID]; al != nil {
		return nil, pgerr.Newf(pgerr.ObjectInUse, "source %q is being altered: %s", name, al.what).
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
	src.Adding = nil
	return c.WithSource(&src)
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

// altering tells what alters a source and how far it is; "" if nothing does.
func (e *Engine) altering(src catalog.ID) string {
	e.sources.Lock()
	defer e.sources.Unlock()
	if a := e.sources.altering[src]; a != nil {
		text := fmt.Sprintf("%s: %d rows", a.what, a.rows.Load())
		if source := a.source.Load(); source != nil {
			if c := snapshotChunks(*source, [2]int64{}); c[1] > 0 {
				text += fmt.Sprintf(", %d of %d chunks", c[0], c[1])
			}
		}
		return text
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
	adding := &catalog.AddingTable{Published: unpublished}
	if adding.Copy, err = json.Marshal(one); err != nil {
		return fmt.Errorf("encoding table %s: %w", name, err)
	}
	if adding.Relation, err = captured(e.Catalog(), src.ID, one.Tables[0], one.As[0], s.path); err != nil {
		return err
	}
	err = e.changeCatalog(ctx, func(c *catalog.Snapshot) (*catalog.Snapshot, error) {
		if _, err := c.WithRelation(adding.Relation); err != nil {
			return nil, err // the name is another's: it is said at once
		}
		adding.Relation.ID, c = c.Allocate()
		noted := *c.Source(src.ID)
		noted.Adding = adding
		return c.WithSource(&noted)
	})
	if err != nil {
		return err
	}
	actx, a, end := e.beginAlteration(ctx, src.ID, "adding "+name)
	defer end()
	unlock() // the copy takes its time
	if err = e.addTable(actx, a, src, adding); err != nil && e.ctx().Err() == nil {
		e.forgetAdding(src, adding)
	}
	if err != nil && actx.Err() != nil {
		return canceled(actx)
	}
	return err
}

func quoteTable(schema, name string) string {
	q := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
	return q(schema) + "." + q(name)
}

// addTable copies the table that is noted as being added and makes it a relation.
func (e *Engine) addTable(ctx context.Context, a *alteration, src *alterable, adding *catalog.AddingTable) error {
	one, err := e.readDefinition(src.Source, adding.Copy)
	if err != nil {
		return err
	}
	if adding.Published {
		if err := src.connector.Publish(ctx, src.def, one); err != nil {
			return err
		}
	}
	rel := *adding.Relation
	return e.copyTable(ctx, a, src.Source, &rel, one, func(connectors.LSN) error {
		t := e.ticker
		cat, err := e.redefine(t.cat, src.ID, func(def *connectors.Definition) (*connectors.Definition, error) {
			return src.connector.WithTable(def, one, -1)
		})
		if err == nil {
			cat, err = cat.WithRelation(&rel)
		}
		if err == nil {
			err = t.addLoaded(&rel)
		}
		if err != nil {
			return err
		}
		return t.commitCatalog(cat)
	}, nil)
}

// forgetAdding leaves a source as it was before a table was to be added.
func (e *Engine) forgetAdding(src *alterable, adding *catalog.AddingTable) {
	ctx, cancel := context.WithTimeout(e.ctx(), 15*time.Second)
	defer cancel()
	err := e.ticker.doNow(ctx, func() error {
		t := e.ticker
		was := t.cat.Source(src.ID)
		if was == nil {
			return nil
		}
		next := *was
		next.Adding = nil
		cat, err := t.cat.WithSource(&next)
		if err != nil {
			return err
		}
		t.txn.DropState(physical.RelationFingerprint(uint32(adding.Relation.ID)))
		return t.commitCatalog(cat)
	})
	if err == nil && adding.Published {
		var one *connectors.Definition
		if one, err = e.readDefinition(src.Source, adding.Copy); err == nil {
			err = src.connector.Unpublish(ctx, src.def, one.Tables[0])
		}
	}
	if err != nil {
		e.log.Warn("undoing ALTER SOURCE … ADD TABLE", "source", src.Name, "error", err)
	}
}

// resumeAdding goes on adding a table where the process ended within it: the
// copy begins anew.
func (e *Engine) resumeAdding(of *catalog.Source) {
	adding := of.Adding
	if adding == nil || of.Dropping {
		return
	}
	ctx, a, end := e.beginAlteration(e.ctx(), of.ID, "adding "+quoteTable(adding.Relation.UpstreamSchema, adding.Relation.UpstreamName))
	e.goRun(func(context.Context) {
		defer end()
		src, err := e.changer(of)
		if err == nil && src.connector == nil {
			err = pgerr.Newf(pgerr.FeatureNotSupported, "connector %q is not supported", of.Connector)
		}
		for wait := time.Second; err == nil; wait = min(2*wait, time.Minute) {
			if err = e.addTable(ctx, a, src, adding); err == nil {
				return
			}
			if ctx.Err() == nil && strings.HasPrefix(string(pgerr.CodeOf(err)), "08") { // the server is away
				select {
				case <-ctx.Done():
				case <-time.After(wait):
				}
				err = nil
			}
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
		}
		if e.ctx().Err() == nil {
			e.log.Error("adding a table", "source", of.Name, "relation", adding.Relation.Name, "error", err)
			e.forgetAdding(src, adding)
		}
	})
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
	actx, a, end := e.beginAlteration(ctx, src.ID, "refreshing "+quoteTable(spec.Schema, spec.Name))
	defer end()
	fresh := *rel
	fresh.Partitioned = now.Partitioned
	fresh.Columns, fresh.Key, fresh.UpstreamSchema, fresh.UpstreamName, fresh.Error = now.Columns, now.Key, now.Schema, now.Name, nil
	err = e.changeCatalog(ctx, func(c *catalog.Snapshot) (*catalog.Snapshot, error) {
		fresh.ID, c = c.Allocate()
		return c, nil
	})
	if err != nil {
		return err
	}
	unlock() // the copy takes its time
	if unpublished {
		if err := src.connector.Publish(actx, src.def, one); err != nil {
			return err
		}
	}
	return e.refreshTable(actx, a, src, index, rel, &fresh, one)
}

// refreshTable copies a table into a state of its own, that of fresh, and puts
// it in the place of the relation or makes the relation what it is.
func (e *Engine) refreshTable(ctx context.Context, a *alteration, src *alterable, index int, rel, fresh *catalog.Relation, one *connectors.Definition) error {
	t := e.ticker
	copied := physical.RelationFingerprint(uint32(fresh.ID))
	renewing := false
	err := e.copyTable(ctx, a, src.Source, fresh, one, func(at connectors.LSN) error {
		cat, err := e.redefine(t.cat, src.ID, func(def *connectors.Definition) (*connectors.Definition, error) {
			return src.connector.WithTable(def, one, index)
		})
		if err != nil {
			return err
		}
		deps := cat.Dependents(rel.ID)
		if len(deps) == 0 {
			cat = t.dropRelation(cat, rel)
			if cat, err = cat.WithRelation(fresh); err != nil {
				return err
			}
			if err := t.addLoaded(fresh); err != nil {
				return err
			}
			return t.commitCatalog(cat)
		}
		if !follows(rel, one.Tables[0]) {
			return refreshError(rel, deps, "its columns or its key have changed")
		}
		same := *rel
		same.UpstreamSchema, same.UpstreamName, same.Error = fresh.UpstreamSchema, fresh.UpstreamName, nil
		if cat, err = cat.WithRelation(&same); err != nil {
			return err
		}
		n := &renewal{Loaded: true, At: connectors.Position{LSN: at}, Copies: []renewedTable{{rel.ID, copied}}}
		if err := t.startRenewal(ctx, cat, src.ID, n); err != nil {
			return err
		}
		renewing = true
		return nil
	}, func(r *sourceRunner) error {
		return r.renew(e.ctx()) // there is no way back
	})
	if err != nil && !renewing && e.ctx().Err() == nil {
		err = errors.Join(err, e.dropState(copied))
	}
	return err
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
