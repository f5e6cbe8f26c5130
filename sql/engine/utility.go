package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/session"
	"github.com/helios-sql/helios-sql/sql/types"
)

// textColumns describes columns of type text.
func textColumns(names ...string) []session.ResultColumn {
	out := make([]session.ResultColumn, len(names))
	for i, n := range names {
		out[i] = session.ResultColumn{Name: n, Type: types.T(types.Text)}
	}
	return out
}

// textRow packs a row of texts.
func textRow(values ...string) types.Row {
	var row []byte
	for _, v := range values {
		row = types.AppendValue(row, []byte(v))
	}
	return row
}

// lists are the SHOW statements that read a relation.
var lists = map[string]string{
	"sources":            "SELECT name, state, lsn, lag_bytes, lag_ms, snapshot_rows, transactions, last_error FROM helios.sources ORDER BY name",
	"secrets":            "SELECT name, sources FROM helios.secrets ORDER BY name",
	"views":              "SELECT schema, name, kind FROM helios.relations WHERE kind IN ('view', 'materialized view') ORDER BY schema, name",
	"materialized views": "SELECT schema, name, state, rows, state_bytes, last_error FROM helios.views ORDER BY schema, name",
	"tables":             "SELECT schema, name, kind, source FROM helios.relations WHERE kind IN ('table', 'source table') ORDER BY schema, name",
}

// utilityColumns describes what a statement that is no query returns.
func (s *Session) utilityColumns(st *statement) ([]session.ResultColumn, error) {
	switch n := st.parsed.Stmt.(type) {
	case *ast.Show:
		if text, ok := lists[n.What]; ok {
			q, err := parseQuery(text)
			if err != nil {
				return nil, err
			}
			err = s.bindQuery(st, s.binder(s.catalog(), nil), q)
			return st.cols, err
		}
		if n.What == "all" {
			return textColumns("name", "setting", "description"), nil
		}
		if _, err := s.vars.get(n.What); err != nil {
			return nil, err
		}
		return textColumns(displayName(n.What)), nil
	case *ast.Explain:
		return textColumns("QUERY PLAN"), nil
	case *ast.Execute:
		if inner := s.statements[n.Name]; inner != nil {
			return inner.cols, nil
		}
	case *ast.Fetch:
		if p := s.portals[n.Name]; p != nil && !n.Move {
			return p.cols, nil
		}
	}
	return nil, nil
}

// utility runs a statement that is neither a query nor DML.
func (s *Session) utility(ctx context.Context, st *statement, args []types.Datum, out *result) (string, error) {
	switch n := st.parsed.Stmt.(type) {
	case *ast.Set:
		return s.set(n, out)
	case *ast.Show:
		if err := out.columns(st.cols); err != nil {
			return "", err
		}
		return "SHOW", s.show(n.What, out)
	case *ast.Explain:
		text, err := s.explain(n)
		if err != nil {
			return "", err
		}
		if err := out.columns(st.cols); err != nil {
			return "", err
		}
		for line := range strings.Lines(text) {
			if err := out.Row(textRow(strings.TrimSuffix(line, "\n"))); err != nil {
				return "", err
			}
		}
		return "EXPLAIN", nil
	case *ast.Prepare:
		return "PREPARE", s.prepare(n)
	case *ast.Execute:
		return s.executePrepared(ctx, n, out)
	case *ast.Deallocate:
		if n.Name == "" {
			clear(s.statements)
			return "DEALLOCATE ALL", nil
		}
		if _, err := s.statement(n.Name); err != nil {
			return "", err
		}
		s.CloseStatement(n.Name)
		return "DEALLOCATE", nil
	case *ast.Discard:
		return s.discard(n, out)
	case *ast.Declare:
		return "DECLARE CURSOR", s.declare(n, st)
	case *ast.Fetch:
		return s.fetchCursor(ctx, n, out)
	case *ast.Close:
		return s.closeCursor(n)
	case *ast.Copy:
		return s.copy(ctx, n, out)
	case *ast.Truncate:
		return "TRUNCATE TABLE", s.truncate(ctx, s.begin(false), n)
	case *ast.Comment:
		return "COMMENT", nil
	}
	return s.ddlStatement(ctx, st, out)
}

// ddlStatement runs a statement that changes the catalog: outside of blocks,
// after what an implicit transaction has done so far.
func (s *Session) ddlStatement(ctx context.Context, st *statement, out *result) (string, error) {
	var tag string
	var run func() error
	switch n := st.parsed.Stmt.(type) {
	case *ast.CreateSource:
		tag, run = "CREATE SOURCE", func() error { return s.createSource(ctx, n, out) }
	case *ast.CreateSecret:
		tag, run = "CREATE SECRET", func() error { return s.createSecret(ctx, n, out) }
	case *ast.CreateView:
		tag, run = "CREATE VIEW", func() error { return s.createView(ctx, n, out) }
		if n.Materialized {
			tag = "CREATE MATERIALIZED VIEW"
		}
	case *ast.CreateTable:
		tag, run = "CREATE TABLE", func() error { return s.createTable(ctx, n, out) }
	case *ast.CreateSchema:
		tag, run = "CREATE SCHEMA", func() error { return s.createSchema(ctx, n, out) }
	case *ast.Drop:
		tag, run = tagOf("drop", n.Kind), func() error { return s.drop(ctx, n, out) }
	case *ast.AlterSource:
		tag, run = "ALTER SOURCE", func() error { return s.alterSource(ctx, n, out) }
	case *ast.CreateIndex:
		return "", pgerr.Unsupported(int(n.Pos), "CREATE INDEX")
	case *ast.CreateTableAs:
		return "", pgerr.Unsupported(int(n.Pos), "CREATE TABLE AS")
	case *ast.Subscribe:
		return "", pgerr.Unsupported(int(n.Pos), "SUBSCRIBE")
	default:
		return "", pgerr.Unsupported(1, "this statement")
	}
	if err := s.outsideBlock(tag); err != nil {
		return "", err
	}
	if err := s.commitImplicit(ctx); err != nil {
		return "", err
	}
	return tag, run()
}

func (s *Session) set(n *ast.Set, out *result) (string, error) {
	tag := "SET"
	if n.Reset {
		tag = "RESET"
	}
	before := s.Parameters()
	if n.Local {
		if s.tx == nil || !s.tx.block {
			return tag, out.warn(pgerr.NoActiveSQLTransaction, "SET LOCAL can only be used in transaction blocks")
		}
		if s.tx.localVars == nil {
			s.tx.localVars = s.vars.values
		}
	}
	var err error
	switch {
	case n.Reset || len(n.Values) == 0:
		if err = s.vars.reset(n.Name); err == nil {
			s.derive()
		}
	case n.Name == "transaction_isolation" || n.Name == "session_characteristics":
	default:
		err = s.setVar(n.Name, strings.Join(n.Values, ", "))
	}
	if err != nil {
		return "", err
	}
	return tag, s.report(before, out)
}

// report tells the client which of its parameters have changed.
func (s *Session) report(before [][2]string, out *result) error {
	for i, p := range s.Parameters() {
		if p != before[i] {
			if err := out.Parameter(p[0], p[1]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Session) show(what string, out *result) error {
	if what != "all" {
		v, err := s.vars.get(what)
		if err != nil {
			return err
		}
		return out.Row(textRow(v))
	}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if err := out.Row(textRow(displayName(name), s.vars.must(name), settings[name].help)); err != nil {
			return err
		}
	}
	return nil
}

// prepare is SQL's PREPARE; it shares its names with the protocol's Parse.
func (s *Session) prepare(n *ast.Prepare) error {
	if s.statements[n.Name] != nil {
		return pgerr.Newf(pgerr.DuplicatePreparedStatement, "prepared statement %q already exists", n.Name)
	}
	var given []types.OID
	b := s.binder(s.catalog(), nil)
	for _, t := range n.Types {
		typ, err := b.ResolveType(t)
		if err != nil {
			return err
		}
		given = append(given, typ.OID)
	}
	st, err := s.analyze(ast.Parsed{Stmt: n.Stmt, Text: n.StmtText}, given)
	if err != nil {
		return err
	}
	s.statements[n.Name] = st
	return nil
}

func (s *Session) executePrepared(ctx context.Context, n *ast.Execute, out *result) (string, error) {
	st, err := s.statement(n.Name)
	if err != nil {
		return "", err
	}
	if len(n.Args) != len(st.params) {
		return "", pgerr.Newf(pgerr.SyntaxError, "wrong number of parameters for prepared statement %q", n.Name).
			WithDetail("Expected %d parameters but got %d.", len(st.params), len(n.Args))
	}
	b := s.binder(s.catalog(), nil)
	ec := s.evalContext(s.begin(false))
	args := make([]types.Datum, len(n.Args))
	for i, a := range n.Args {
		x, err := b.BindScalar(a, nil, "")
		if err != nil {
			return "", err
		}
		if x, err = b.CoerceAssign(x, types.T(st.params[i]), fmt.Sprintf("$%d", i+1), int(a.Position())); err != nil {
			return "", err
		}
		if args[i], err = evalConst(x, ec); err != nil {
			return "", err
		}
		args[i].B = slices.Clone(args[i].B)
	}
	return s.execute(ctx, st, args, out)
}

func (s *Session) discard(n *ast.Discard, out *result) (string, error) {
	tag := tagOf("discard", n.What)
	if n.What == "all" {
		if err := s.outsideBlock("DISCARD ALL"); err != nil {
			return "", err
		}
		s.rollback()
		clear(s.statements)
		for name := range s.portals {
			s.ClosePortal(name)
		}
		before := s.Parameters()
		_ = s.vars.reset("all") // knows "all"
		s.derive()
		return tag, s.report(before, out)
	}
	return tag, nil
}

// declare opens a cursor: a portal with a name of SQL's.
func (s *Session) declare(n *ast.Declare, st *statement) error {
	if s.tx == nil || !s.tx.block {
		if !n.Hold {
			return pgerr.Newf(pgerr.NoActiveSQLTransaction, "DECLARE CURSOR can only be used in transaction blocks")
		}
	}
	if s.portals[n.Name] != nil {
		return pgerr.Newf(pgerr.DuplicateCursor, "cursor %q already exists", n.Name)
	}
	if n.Scroll != nil && *n.Scroll {
		return pgerr.Unsupported(int(n.Pos), "SCROLL cursor")
	}
	if n.Binary {
		return pgerr.Unsupported(int(n.Pos), "BINARY cursor")
	}
	q, ok := n.Stmt.(*ast.Query)
	if !ok {
		return pgerr.Unsupported(int(n.Pos), "DECLARE of something other than a query")
	}
	inner, err := s.analyze(ast.Parsed{Stmt: q, Text: st.parsed.Text}, nil)
	if err != nil {
		return err
	}
	s.portals[n.Name] = &portal{st: inner, cols: inner.cols, cursor: true}
	return nil
}

func (s *Session) fetchCursor(ctx context.Context, n *ast.Fetch, out *result) (string, error) {
	p := s.portals[n.Name]
	if p == nil {
		return "", pgerr.Newf(pgerr.InvalidCursorName, "cursor %q does not exist", n.Name)
	}
	max := int(n.Count)
	switch n.Direction {
	case "next":
		max = 1
	case "forward":
	default:
		return "", pgerr.Newf(pgerr.ObjectNotInPrerequisite, "cursor can only scan forward").WithHint("Declare it with SCROLL option to enable backward scan.")
	}
	if n.All {
		max = 0
	} else if max <= 0 {
		return "", pgerr.Newf(pgerr.ObjectNotInPrerequisite, "cursor can only scan forward")
	}
	emit := out.Row
	if n.Move {
		emit = func(types.Row) error { return nil }
	} else if err := out.columns(p.cols); err != nil {
		return "", err
	}
	rows, _, err := s.fetch(ctx, p, max, emit)
	if err != nil {
		return "", err
	}
	if n.Move {
		return fmt.Sprintf("MOVE %d", rows), nil
	}
	return fmt.Sprintf("FETCH %d", rows), nil
}

func (s *Session) closeCursor(n *ast.Close) (string, error) {
	if n.Name == "" {
		for name, p := range s.portals {
			if p.cursor {
				s.ClosePortal(name)
			}
		}
		return "CLOSE CURSOR ALL", nil
	}
	if s.portals[n.Name] == nil {
		return "", pgerr.Newf(pgerr.InvalidCursorName, "cursor %q does not exist", n.Name)
	}
	s.ClosePortal(n.Name)
	return "CLOSE CURSOR", nil
}

// explain prints a plan, or that of a stored view.
func (s *Session) explain(n *ast.Explain) (string, error) {
	stage := ""
	for _, o := range n.Options {
		switch strings.ToLower(o.Name) {
		case "stage":
			stage = strings.ToLower(o.Value)
		case "costs", "verbose", "timing", "format", "summary", "settings":
		default:
			return "", pgerr.Unsupported(int(o.Pos), "EXPLAIN option %q", o.Name)
		}
	}
	cat := s.catalog()
	if len(n.View) > 0 {
		rel := s.lookup(cat, n.View)
		if rel == nil {
			return "", pgerr.Newf(pgerr.UndefinedTable, "relation %q does not exist", strings.Join(n.View, ".")).At(int(n.Pos))
		}
		if rel.Query == "" {
			return "", pgerr.Newf(pgerr.WrongObjectType, "%q is not a view", rel.Name).At(int(n.Pos))
		}
		q, err := s.engine.bindStored(cat, rel)
		if err != nil {
			return "", err
		}
		return s.engine.explainView(cat, rel, q, stage)
	}
	switch x := n.Stmt.(type) {
	case *ast.Query:
		q, err := s.binder(cat, nil).BindQuery(x.Select)
		if err != nil {
			return "", err
		}
		return s.engine.explainQuery(cat, q, stage)
	case *ast.CreateView:
		q, err := s.binder(cat, nil).BindQuery(x.Query)
		if err != nil {
			return "", err
		}
		if !x.Materialized {
			return s.engine.explainQuery(cat, q, stage)
		}
		if _, _, err := q.CheckView(x.Columns); err != nil {
			return "", err
		}
		return s.engine.explainView(cat, nil, q, stage)
	}
	return "", pgerr.Unsupported(int(n.Pos), "EXPLAIN of this statement")
}
