package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

func (s *Session) createSource(ctx context.Context, st *ast.CreateSource, out *result) error {
	unlock, err := s.engine.lockDDL(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	e := s.engine
	if len(st.Name) != 1 {
		return pgerr.Newf(pgerr.InvalidName, "a source has no schema").At(int(st.Pos))
	}
	name := st.Name[0]
	if have := e.Catalog().SourceByName(name); have != nil {
		if have.Dropping {
			return pgerr.Newf(pgerr.ObjectInUse, "source %q is still being dropped", name).
				WithHint("Its slot at the old server is not yet gone; see helios.sources for why. Choose another name, or wait.")
		}
		if st.IfNotExists {
			return out.notice(exists("source", name))
		}
		return pgerr.Newf(pgerr.DuplicateObject, "source %q already exists", name)
	}
	connector := e.opts.Connectors[st.Connector]
	if connector == nil {
		return pgerr.Unsupported(int(st.Pos), "connector %q", st.Connector)
	}
	spec := connectors.Spec{Name: name, Connection: st.Connection, AllTables: st.AllTables, Schemas: st.Schemas, Secret: e.secret}
	for _, t := range st.Tables {
		spec.Tables = append(spec.Tables, tableSpec(t))
	}
	for _, o := range st.Options {
		spec.Options = append(spec.Options, connectors.Option{Name: o.Name, Value: o.Value, Pos: int(o.Pos), ValuePos: int(o.ValuePos)})
	}
	def, err := connector.Create(ctx, spec)
	if err != nil {
		return err
	}
	for _, n := range def.Notices {
		notice := pgerr.Newf(pgerr.Warning, "%s", n)
		notice.Severity = "NOTICE"
		if err := out.notice(notice); err != nil {
			return err
		}
	}
	config, err := json.Marshal(def)
	if err != nil {
		return fmt.Errorf("encoding source %q: %w", name, err)
	}
	src := &catalog.Source{Schema: "public", Name: name, Connector: st.Connector, Config: config}
	path := s.path
	err = e.changeCatalog(ctx, func(c *catalog.Snapshot) (*catalog.Snapshot, error) {
		src.ID, c = c.Allocate()
		for i, t := range def.Tables {
			rel, err := captured(c, src.ID, t, def.As[i], path)
			if err != nil {
				return nil, err
			}
			rel.ID, c = c.Allocate()
			if c, err = c.WithRelation(rel); err != nil {
				return nil, fmt.Errorf("table %s.%s: %w", t.Schema, t.Name, err)
			}
		}
		return c.WithSource(src)
	})
	if err != nil {
		return err
	}
	e.startSource(src, false)
	return nil
}

// tableSpec is what a statement says of a captured table.
func tableSpec(t ast.SourceTable) connectors.TableSpec {
	ts := connectors.TableSpec{Columns: t.Columns, Where: t.Where, Pos: int(t.Pos), Schema: "public", Name: t.Name[len(t.Name)-1]}
	if len(t.Name) > 1 {
		ts.Schema = t.Name[len(t.Name)-2]
	}
	if len(t.As) > 0 {
		ts.As[1] = t.As[len(t.As)-1]
		if len(t.As) > 1 {
			ts.As[0] = t.As[0]
		}
	}
	return ts
}

// captured makes the relation of a captured table.
func captured(c *catalog.Snapshot, src catalog.ID, t connectors.Table, as [2]string, path []string) (*catalog.Relation, error) {
	rel := &catalog.Relation{Schema: as[0], Name: as[1], Kind: catalog.SourceTable, Columns: t.Columns, Key: t.Key,
		Source: src, UpstreamSchema: t.Schema, UpstreamName: t.Name, Partitioned: t.Partitioned}
	if rel.Schema == "" {
		rel.Schema = firstSchema(c, path)
	}
	if rel.Name == "" {
		rel.Name = t.Name
	}
	return rel, userSchema(rel.Schema)
}

func (s *Session) dropSource(ctx context.Context, name []string, st *ast.Drop, out *result) error {
	e := s.engine
	cat := e.Catalog()
	last := name[len(name)-1]
	src := cat.SourceByName(last)
	if src == nil || src.Dropping {
		if st.IfExists {
			return out.notice(skipping("source", last))
		}
		return pgerr.Newf(pgerr.UndefinedObject, "source %q does not exist", last)
	}
	var tables []*catalog.Relation
	for _, r := range cat.Relations() {
		if r.Source == src.ID {
			tables = append(tables, r)
		}
	}
	all, err := withDependents(cat, tables, st.Cascade)
	if err != nil {
		return err
	}
	var views []*catalog.Relation
	for _, r := range all {
		if r.Source != src.ID {
			views = append(views, r)
		}
	}
	if err := noticeCascade(out, views); err != nil {
		return err
	}
	e.endAlteration(src.ID)
	e.stopSource(src.ID)
	dropping := *src.EndCopy()
	dropping.Dropping = true
	err = e.dropRelations(ctx, all, func(c *catalog.Snapshot) (*catalog.Snapshot, error) {
		e.ticker.dropPosition(src.ID)
		e.ticker.txn.DeleteMeta(snapshotKey(src.ID))
		if err := e.ticker.forgetRenewal(src.ID); err != nil {
			return nil, err
		}
		return c.WithSource(&dropping)
	})
	if err != nil {
		return err
	}
	if err := e.finishDrop(ctx, &dropping); err != nil {
		e.goDrop(&dropping, err)
		n := pgerr.Newf(pgerr.Warning, "the slot of source %q could not be dropped yet: %s", last, err)
		n.Severity, n.Hint = "WARNING", "It is tried again until it succeeds; see helios.sources."
		return out.notice(n)
	}
	return nil
}

// dropTimeout bounds one attempt to free what a source holds.
const dropTimeout = 15 * time.Second

// finishDrop frees what a source holds on its server and forgets the source.
func (e *Engine) finishDrop(ctx context.Context, src *catalog.Source) error {
	def, err := e.definition(src)
	if err != nil {
		return err
	}
	if c := e.opts.Connectors[src.Connector]; c != nil {
		for _, copied := range src.Ended {
			if err := e.freeCopy(ctx, src, copied); err != nil {
				return err
			}
		}
		ctx, cancel := context.WithTimeout(ctx, dropTimeout)
		defer cancel()
		if err := c.Drop(ctx, def); err != nil {
			return err
		}
	}
	e.sources.Lock()
	delete(e.sources.byID, src.ID)
	e.sources.Unlock()
	return e.changeCatalog(e.ctx(), func(c *catalog.Snapshot) (*catalog.Snapshot, error) { return c.WithoutSource(src.ID), nil })
}

// goDrop goes on trying to drop a source's slot, and shows the source, with
// why it is still there, until it succeeds. last is the failure so far, nil: none yet.
func (e *Engine) goDrop(src *catalog.Source, last error) {
	ended := make(chan struct{})
	close(ended)
	r := &sourceRunner{snapshotKeeper: snapshotKeeper{engine: e}, id: src.ID, name: src.Name, cancel: func() {}, ended: ended}
	r.setStatus("dropping", last)
	e.sources.Lock()
	e.sources.byID[src.ID] = r
	e.sources.Unlock()
	e.goRun(func(ctx context.Context) {
		for wait := time.Second; ; wait = min(2*wait, time.Minute) {
			err := e.finishDrop(ctx, src)
			if err == nil || ctx.Err() != nil {
				return
			}
			r.setStatus("dropping", err)
			e.log.Warn("dropping a source's slot", "source", src.Name, "error", err, "retry", wait)
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
		}
	})
}
