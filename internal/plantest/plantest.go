// Package plantest gives the planner's golden tests a catalog made by DDL and
// queries bound against it.
package plantest

import (
	"fmt"
	"slices"

	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/parser"
	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/planner"
	"github.com/helios-sql/helios-sql/sql/planner/binder"
	"github.com/helios-sql/helios-sql/sql/planner/physical"
	"github.com/helios-sql/helios-sql/sql/types"
)

// An Env is a catalog with its views' operators.
type Env struct {
	cat     *catalog.Snapshot
	running map[physical.Fingerprint]string
}

// New is the empty catalog.
func New() *Env {
	return &Env{cat: catalog.New(nil), running: map[physical.Fingerprint]string{}}
}

// Shared tells which view's plan has an operator already.
func (e *Env) Shared(fp physical.Fingerprint) (view string, ok bool) {
	view, ok = e.running[fp]
	return view, ok
}

// DDL runs CREATE TABLE, CREATE VIEW and CREATE MATERIALIZED VIEW.
func (e *Env) DDL(sql string) error {
	stmts, err := parser.Parse(sql)
	if err != nil {
		return err
	}
	for _, s := range stmts {
		switch s := s.Stmt.(type) {
		case *ast.CreateTable:
			err = e.createTable(s)
		case *ast.CreateView:
			err = e.createView(s)
		default:
			err = fmt.Errorf("not DDL: %T", s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *Env) binder() *binder.Binder {
	return binder.New(e.cat, binder.Options{SearchPath: []string{"public"}, ParseView: func(text string) (*ast.Select, error) {
		q, err := parser.Parse(text)
		if err != nil {
			return nil, err
		}
		return q[0].Stmt.(*ast.Query).Select, nil
	}})
}

func (e *Env) add(r *catalog.Relation) error {
	id, cat := e.cat.Allocate()
	r.ID, r.Schema = id, "public"
	cat, err := cat.WithRelation(r)
	if err == nil {
		e.cat = cat
	}
	return err
}

func (e *Env) createTable(s *ast.CreateTable) error {
	r := &catalog.Relation{Name: s.Name[len(s.Name)-1], Kind: catalog.Table}
	for i, c := range s.Columns {
		t, err := e.binder().ResolveType(c.Type)
		if err != nil {
			return err
		}
		r.Columns = append(r.Columns, types.Column{Name: c.Name, Type: t, NotNull: c.NotNull || c.PrimaryKey})
		if c.PrimaryKey {
			r.Key = append(r.Key, i)
		}
	}
	for _, name := range s.PrimaryKey {
		i := slices.IndexFunc(r.Columns, func(c types.Column) bool { return c.Name == name })
		r.Columns[i].NotNull = true
		r.Key = append(r.Key, i)
	}
	return e.add(r)
}

func (e *Env) createView(s *ast.CreateView) error {
	q, err := e.binder().BindQuery(s.Query)
	if err != nil {
		return err
	}
	name := s.Name[len(s.Name)-1]
	if !s.Materialized {
		return e.add(&catalog.Relation{Name: name, Kind: catalog.View, Columns: q.Cols, Query: s.QueryText})
	}
	cols, _, err := q.CheckView(s.Columns)
	if err != nil {
		return err
	}
	p, err := planner.Plan(q, planner.View)
	if err != nil {
		return err
	}
	e.note(p.Root, name)
	return e.add(&catalog.Relation{Name: name, Kind: catalog.MaterializedView, Columns: cols, Key: p.Root.(*physical.Sink).Key})
}

func (e *Env) note(n physical.Node, view string) {
	if _, ok := e.running[n.Fingerprint()]; !ok {
		e.running[n.Fingerprint()] = view
	}
	for _, c := range n.Inputs() {
		e.note(c, view)
	}
}

// Bind binds a query, or the query of a CREATE MATERIALIZED VIEW (view: true).
func (e *Env) Bind(sql string) (q *binder.Query, view bool, err error) {
	stmts, err := parser.Parse(sql)
	if err != nil {
		return nil, false, err
	}
	switch s := stmts[0].Stmt.(type) {
	case *ast.Query:
		q, err = e.binder().BindQuery(s.Select)
		return q, false, err
	case *ast.CreateView:
		if q, err = e.binder().BindQuery(s.Query); err == nil {
			_, _, err = q.CheckView(s.Columns)
		}
		return q, true, err
	}
	return nil, false, fmt.Errorf("not a query: %T", stmts[0].Stmt)
}
