package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/binder"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/types"
)

// exists is the NOTICE of IF NOT EXISTS.
func exists(kind, name string) *pgerr.Error {
	n := pgerr.Newf(pgerr.DuplicateTable, "%s %q already exists, skipping", kind, name)
	n.Severity = "NOTICE"
	return n
}

// lockDDL keeps other changes of the catalog out until the result is called;
// to call it again does nothing.
func (e *Engine) lockDDL(ctx context.Context) (func(), error) {
	select {
	case e.ddl <- struct{}{}:
		return sync.OnceFunc(func() { <-e.ddl }), nil
	case <-ctx.Done():
		return nil, canceled(ctx)
	}
}

// qualify gives the schema and name that a new object of this name gets.
func (s *Session) qualify(name []string) (schema, rel string, err error) {
	switch len(name) {
	case 1:
		for _, p := range s.path {
			if s.engine.Catalog().HasSchema(p) {
				return p, name[0], nil
			}
		}
		return "", "", pgerr.Newf(pgerr.InvalidSchemaName, "no schema has been selected to create in")
	case 2:
		return name[0], name[1], nil
	case 3:
		if name[0] != s.engine.opts.Database {
			return "", "", pgerr.Newf(pgerr.FeatureNotSupported, "cross-database references are not implemented: %q", strings.Join(name, "."))
		}
		return name[1], name[2], nil
	}
	return "", "", pgerr.Newf(pgerr.SyntaxError, "improper qualified name (too many dotted names): %s", strings.Join(name, "."))
}

// userSchema refuses the schemas that are ours.
func userSchema(schema string) error {
	switch schema {
	case "pg_catalog", "information_schema", "helios":
		return pgerr.Newf(pgerr.InsufficientPrivilege, "permission denied for schema %s", schema)
	}
	return nil
}

// changeCatalog runs one change of the catalog between two ticks and waits
// until it is durable.
func (e *Engine) changeCatalog(ctx context.Context, change func(*catalog.Snapshot) (*catalog.Snapshot, error)) error {
	t := e.ticker
	err := t.do(ctx, func() error {
		cat, err := change(t.cat)
		if err != nil {
			return err
		}
		return t.commitCatalog(cat)
	})
	if err != nil {
		return err
	}
	return t.syncTo(t.committed.Load().tick)
}

func (s *Session) createSchema(ctx context.Context, st *ast.CreateSchema, out *result) error {
	unlock, err := s.engine.lockDDL(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if st.IfNotExists && s.engine.Catalog().HasSchema(st.Name) {
		return out.notice(exists("schema", st.Name))
	}
	return s.engine.changeCatalog(ctx, func(c *catalog.Snapshot) (*catalog.Snapshot, error) { return c.WithSchema(st.Name) })
}

func (s *Session) createTable(ctx context.Context, st *ast.CreateTable, out *result) error {
	unlock, err := s.engine.lockDDL(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	schema, name, err := s.qualify(st.Name)
	if err != nil {
		return err
	}
	if err := userSchema(schema); err != nil {
		return err
	}
	if r := s.engine.Catalog().Lookup(schema, name, nil); r != nil && st.IfNotExists {
		return out.notice(exists("relation", name))
	}
	rel := &catalog.Relation{Schema: schema, Name: name, Kind: catalog.Table}
	if err := s.tableColumns(rel, st); err != nil {
		return err
	}
	t := s.engine.ticker
	return s.engine.changeCatalog(ctx, func(c *catalog.Snapshot) (*catalog.Snapshot, error) {
		rel.ID, c = c.Allocate()
		c, err := c.WithRelation(rel)
		if err != nil {
			return nil, err
		}
		return c, t.addTable(rel)
	})
}

// tableColumns fills in a new table's columns, key and defaults.
func (s *Session) tableColumns(rel *catalog.Relation, st *ast.CreateTable) error {
	b := s.binder(s.engine.Catalog(), nil)
	key := st.PrimaryKey
	for _, c := range st.Columns {
		if slices.ContainsFunc(rel.Columns, func(o types.Column) bool { return o.Name == c.Name }) {
			return pgerr.Newf(pgerr.DuplicateColumn, "column %q specified more than once", c.Name).At(int(c.Pos))
		}
		typ, err := b.ResolveType(c.Type)
		if err != nil {
			return err
		}
		if c.PrimaryKey {
			if len(key) > 0 {
				return pgerr.Newf(pgerr.InvalidTableDefinition, "multiple primary keys for table %q are not allowed", rel.Name).At(int(c.Pos))
			}
			key = []string{c.Name}
		}
		rel.Columns = append(rel.Columns, types.Column{Name: c.Name, Type: typ, NotNull: c.NotNull || c.PrimaryKey})
		rel.Defaults = append(rel.Defaults, c.DefaultText)
		if c.Default == nil {
			continue
		}
		x, err := b.BindScalar(c.Default, nil, "")
		if err != nil {
			return err
		}
		if _, err := b.CoerceAssign(x, typ, c.Name, int(c.Pos)); err != nil {
			return err
		}
	}
	for _, k := range key {
		i := slices.IndexFunc(rel.Columns, func(c types.Column) bool { return c.Name == k })
		if i < 0 {
			return pgerr.Newf(pgerr.UndefinedColumn, "column %q named in key does not exist", k).At(int(st.PrimaryKeyPos))
		}
		if slices.Contains(rel.Key, i) {
			return pgerr.Newf(pgerr.DuplicateColumn, "column %q appears twice in primary key constraint", k).At(int(st.PrimaryKeyPos))
		}
		if !types.HasEquality(rel.Columns[i].Type.OID) {
			return pgerr.Newf(pgerr.UndefinedObject, "data type %s has no default operator class for access method \"btree\"", rel.Columns[i].Type).At(int(st.PrimaryKeyPos))
		}
		rel.Key = append(rel.Key, i)
		rel.Columns[i].NotNull = true
	}
	return nil
}

func (s *Session) createView(ctx context.Context, st *ast.CreateView, out *result) error {
	unlock, err := s.engine.lockDDL(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	schema, name, err := s.qualify(st.Name)
	if err != nil {
		return err
	}
	if err := userSchema(schema); err != nil {
		return err
	}
	e, kind := s.engine, catalog.View
	if st.Materialized {
		kind = catalog.MaterializedView
	}
	old := e.Catalog().Lookup(schema, name, nil)
	switch {
	case old != nil && st.IfNotExists:
		return out.notice(exists("relation", name))
	case old != nil && !st.OrReplace:
		return pgerr.Newf(pgerr.DuplicateTable, "relation %q already exists", name)
	case old != nil && old.Kind != kind:
		return pgerr.Newf(pgerr.WrongObjectType, "%q is not a %s", name, kind)
	}
	if len(st.Options) > 0 {
		return pgerr.Unsupported(int(st.Options[0].Pos), "view option %q", st.Options[0].Name)
	}
	rel := &catalog.Relation{Schema: schema, Name: name, Kind: kind, Query: st.QueryText, ColumnNames: st.Columns,
		SearchPath: s.path}
	q, err := s.viewBinder(e.Catalog()).BindQuery(st.Query)
	if err != nil {
		return err
	}
	rel.Deps = q.Deps
	if kind == catalog.View {
		rel.Columns, err = viewColumns(q, st)
	} else {
		var notices []*pgerr.Error
		if rel.Columns, notices, err = q.CheckView(st.Columns); err == nil {
			for _, n := range notices {
				if err := out.notice(n); err != nil {
					return err
				}
			}
		}
	}
	if err != nil {
		return err
	}
	if old != nil && old.Query == rel.Query && slices.Equal(old.ColumnNames, rel.ColumnNames) && slices.Equal(old.Columns, rel.Columns) && slices.Equal(old.Deps, rel.Deps) {
		return nil // nothing would change: the pipeline file was run again
	}
	if old != nil {
		if deps := e.Catalog().Dependents(old.ID); len(deps) > 0 {
			return dependError("replace", old, deps)
		}
	}
	if kind == catalog.View {
		return e.changeCatalog(ctx, func(c *catalog.Snapshot) (*catalog.Snapshot, error) {
			if old != nil {
				rel.ID = old.ID
			} else {
				rel.ID, c = c.Allocate()
			}
			return c.WithRelation(rel)
		})
	}
	v, err := s.waitLoaded(ctx, q.Deps)
	if err != nil {
		return err
	}
	v.release()
	if err := e.relationErrors(e.Catalog(), q.Deps); err != nil {
		return err
	}
	plan, err := planView(q)
	if err != nil {
		return err
	}
	sink := plan.Root.(*physical.Sink)
	rel.Key = sink.Key
	err = e.changeCatalog(ctx, func(c *catalog.Snapshot) (*catalog.Snapshot, error) {
		rel.ID, c = c.Allocate()
		return c, nil
	})
	if err != nil {
		return err
	}
	var replaced []catalog.ID
	if old != nil {
		replaced = []catalog.ID{old.ID}
	}
	if err := e.hydrate(ctx, rel, sink, replaced); err != nil {
		return fmt.Errorf("building materialized view %q: %w", name, err)
	}
	return e.ticker.syncTo(e.ticker.committed.Load().tick)
}

// viewColumns names a view's columns.
func viewColumns(q *binder.Query, st *ast.CreateView) (types.Schema, error) {
	cols := slices.Clone(q.Cols)
	if len(st.Columns) > len(cols) {
		return nil, pgerr.Newf(pgerr.SyntaxError, "CREATE VIEW specifies more column names than columns")
	}
	for i, n := range st.Columns {
		cols[i].Name = n
	}
	for i, c := range cols {
		for _, o := range cols[:i] {
			if o.Name == c.Name {
				return nil, pgerr.Newf(pgerr.DuplicateColumn, "column %q specified more than once", c.Name)
			}
		}
	}
	return cols, nil
}

func firstSchema(c *catalog.Snapshot, path []string) string {
	for _, p := range path {
		if c.HasSchema(p) {
			return p
		}
	}
	return "public"
}

// dependError is PostgreSQL's refusal to drop what others need.
func dependError(verb string, rel *catalog.Relation, deps []*catalog.Relation) error {
	err := pgerr.Newf(pgerr.DependentObjectsStillExist, "cannot %s %s %s because other objects depend on it", verb, kindName(rel.Kind), rel.Name)
	var detail []string
	for _, d := range deps {
		detail = append(detail, fmt.Sprintf("%s %s depends on %s %s", d.Kind, d.Name, kindName(rel.Kind), rel.Name))
	}
	err.Detail = strings.Join(detail, "\n")
	if verb == "drop" {
		err.Hint = "Use DROP ... CASCADE to drop the dependent objects too."
	}
	return err
}

// kindName is how messages call a relation's kind.
func kindName(k catalog.Kind) string { return string(k) }

func (s *Session) drop(ctx context.Context, st *ast.Drop, out *result) error {
	unlock, err := s.engine.lockDDL(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	e := s.engine
	for i, name := range st.Names {
		switch st.Kind {
		case "source":
			err = s.dropSource(ctx, name, st, out)
		case "secret":
			err = s.dropSecret(ctx, name, int(st.NamePos[i]), st, out)
		case "schema":
			err = s.dropSchema(ctx, name[0], st, out)
		case "table", "view", "materialized view":
			err = s.dropNamed(ctx, name, int(st.NamePos[i]), st, out)
		default:
			err = pgerr.Unsupported(int(st.Pos), "DROP %s", strings.ToUpper(st.Kind))
		}
		if err != nil {
			return err
		}
	}
	return e.ticker.syncTo(e.ticker.committed.Load().tick)
}

func skipping(kind, name string) *pgerr.Error {
	n := pgerr.Newf(pgerr.SuccessfulCompletion, "%s %q does not exist, skipping", kind, name)
	n.Severity = "NOTICE"
	return n
}

func (s *Session) dropSchema(ctx context.Context, name string, st *ast.Drop, out *result) error {
	cat := s.engine.Catalog()
	if err := userSchema(name); err != nil {
		return err
	}
	if !cat.HasSchema(name) {
		if st.IfExists {
			return out.notice(skipping("schema", name))
		}
		return pgerr.Newf(pgerr.InvalidSchemaName, "schema %q does not exist", name)
	}
	for _, r := range cat.Relations() {
		if r.Schema == name {
			if st.Cascade {
				return pgerr.Unsupported(int(st.Pos), "DROP SCHEMA CASCADE")
			}
			return pgerr.Newf(pgerr.DependentObjectsStillExist, "cannot drop schema %s because other objects depend on it", name).
				WithDetail("%s %s depends on schema %s", r.Kind, r.Name, name)
		}
	}
	return s.engine.changeCatalog(ctx, func(c *catalog.Snapshot) (*catalog.Snapshot, error) { return c.WithoutSchema(name), nil })
}

func (s *Session) dropNamed(ctx context.Context, name []string, pos int, st *ast.Drop, out *result) error {
	e := s.engine
	cat := e.Catalog()
	rel := s.lookup(cat, name)
	last := name[len(name)-1]
	if rel == nil {
		if st.IfExists {
			return out.notice(skipping(st.Kind, last))
		}
		return pgerr.Newf(pgerr.UndefinedTable, "%s %q does not exist", st.Kind, last).At(pos)
	}
	if rel.Kind == catalog.SourceTable {
		src := cat.Source(rel.Source)
		return pgerr.Newf(pgerr.WrongObjectType, "%q is a table of source %q", last, src.Name).WithHint("Use DROP SOURCE.")
	}
	if string(rel.Kind) != st.Kind {
		return pgerr.Newf(pgerr.WrongObjectType, "%q is not a %s", last, st.Kind).WithHint("Use DROP %s to remove it.", strings.ToUpper(string(rel.Kind)))
	}
	all, err := withDependents(cat, []*catalog.Relation{rel}, st.Cascade)
	if err != nil {
		return err
	}
	if err := noticeCascade(out, all[:len(all)-1]); err != nil {
		return err
	}
	return e.dropRelations(ctx, all, nil)
}

// withDependents gives the relations with all that read them, dependents
// first. Without cascade there may be none.
func withDependents(cat *catalog.Snapshot, rels []*catalog.Relation, cascade bool) ([]*catalog.Relation, error) {
	var order []*catalog.Relation
	seen := map[catalog.ID]bool{}
	var visit func(r *catalog.Relation)
	visit = func(r *catalog.Relation) {
		if seen[r.ID] {
			return
		}
		seen[r.ID] = true
		for _, d := range cat.Dependents(r.ID) {
			visit(d)
		}
		order = append(order, r)
	}
	for _, r := range rels {
		if deps := cat.Dependents(r.ID); len(deps) > 0 && !cascade {
			return nil, dependError("drop", r, deps)
		}
		visit(r)
	}
	return order, nil
}

func noticeCascade(out *result, rels []*catalog.Relation) error {
	for _, r := range rels {
		n := pgerr.Newf(pgerr.SuccessfulCompletion, "drop cascades to %s %s", r.Kind, r.Name)
		n.Severity = "NOTICE"
		if err := out.notice(n); err != nil {
			return err
		}
	}
	return nil
}

// dropRelations removes relations, dependents first, and their states.
func (e *Engine) dropRelations(ctx context.Context, rels []*catalog.Relation, also func(*catalog.Snapshot) (*catalog.Snapshot, error)) error {
	t := e.ticker
	return t.doNow(ctx, func() (err error) {
		cat := t.cat
		for _, r := range rels {
			cat = t.dropRelation(cat, r)
		}
		if also != nil {
			if cat, err = also(cat); err != nil {
				return err
			}
		}
		return t.commitCatalog(cat)
	})
}

// dropRelation takes a relation out of the circuit and the catalog and drops
// its states in the tick's batch.
func (t *Ticker) dropRelation(cat *catalog.Snapshot, r *catalog.Relation) *catalog.Snapshot {
	switch r.Kind {
	case catalog.MaterializedView:
		for _, fp := range t.circuit.DropView(uint32(r.ID)) {
			t.txn.DropState(fp)
		}
	case catalog.Table, catalog.SourceTable:
		t.circuit.DropTable(uint32(r.ID))
		t.dropLoaded(physical.RelationFingerprint(uint32(r.ID)))
		t.dropLoaded(scratch(r.ID))
	}
	return cat.WithoutRelation(r.ID)
}
