package engine

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/types"
)

// relationFacts lists PostgreSQL 15's catalogs and the views over them, one by
// one: schema.name, OID, relkind and then name:type of every column; =value is
// the column's value where nothing else is said (~ is a blank), NULL if it is missing.
//
//go:embed pgcatalog/relations.txt
var relationFacts string

// standIns are the types that columns of system relations have here in the
// place of PostgreSQL's.
var standIns = map[string]types.Type{
	"_regtype": types.T(types.OIDArray),
	"xid":      types.T(types.OIDType), "int2vector": types.T(types.Text), "oidvector": types.T(types.Text),
	"pg_node_tree": types.T(types.Text), "_aclitem": types.T(types.TextArray), "anyarray": types.T(types.Text),
	"pg_lsn": types.T(types.Text), "inet": types.T(types.Text), "_pg_statistic": types.T(types.TextArray),
	"pg_ndistinct": types.T(types.Text), "pg_dependencies": types.T(types.Text), "pg_mcv_list": types.T(types.Text),
	// Domains: clients are told their base types by PostgreSQL, too.
	"cardinal_number": types.T(types.Int4), "character_data": types.T(types.VarChar), "sql_identifier": types.T(types.Name),
	"yes_or_no": {OID: types.VarChar, Mod: 3 + 4}, "time_stamp": {OID: types.TimestampTZ, Mod: 2},
}

// A tableShape is a relation of relationFacts.
type tableShape struct {
	oid          catalog.ID
	schema, name string
	kind         byte // relkind
	cols         types.Schema
	defaults     []types.Datum
	index        map[string]int // of columns by name
}

var tableShapes = sync.OnceValue(func() []*tableShape {
	var out []*tableShape
	var t *tableShape
	for line := range strings.Lines(relationFacts) {
		words := strings.Fields(line)
		if line[0] != '\t' {
			oid, err := strconv.Atoi(words[1])
			if err != nil {
				panic(fmt.Sprintf("system relation %s: %v", words[0], err))
			}
			t = &tableShape{oid: catalog.ID(oid), kind: words[2][0], index: map[string]int{}}
			t.schema, t.name, _ = strings.Cut(words[0], ".")
			out, words = append(out, t), words[3:]
		}
		for _, w := range words {
			t.addColumn(w)
		}
	}
	return out
})

func (t *tableShape) addColumn(spec string) {
	spec, value, given := strings.Cut(spec, "=")
	name, typ, _ := strings.Cut(spec, ":")
	c := types.Column{Name: name, Type: standIns[typ]}
	if c.Type.OID == 0 {
		oid, ok := types.OIDByName(typ)
		if !ok {
			panic(fmt.Sprintf("system relation %s: no type %s", t.name, typ))
		}
		c.Type = types.T(oid)
	}
	d := types.NullDatum
	if given {
		var err error
		if d, err = types.ParseDatum(c.Type, strings.ReplaceAll(value, "~", " ")); err != nil {
			panic(fmt.Sprintf("system relation %s: %v", t.name, err))
		}
	}
	t.index[name] = len(t.cols)
	t.cols, t.defaults = append(t.cols, c), append(t.defaults, d)
}

// A tuple is a row of a system relation in the making: its values are the
// columns' defaults until they are set.
type tuple struct {
	shape  *tableShape
	values []types.Datum
	buf    []byte
	emit   func(types.Row) error
	err    error // of emit: what comes after it is lost
}

func (t *tuple) set(name string, d types.Datum) *tuple {
	i, ok := t.shape.index[name]
	if !ok {
		panic(fmt.Sprintf("system relation %s has no column %s", t.shape.name, name))
	}
	t.values[i] = d
	return t
}

func (t *tuple) int(name string, v int64) *tuple { return t.set(name, types.DInt(v)) }
func (t *tuple) bool(name string, v bool) *tuple { return t.set(name, types.DBool(v)) }
func (t *tuple) text(name, v string) *tuple      { return t.set(name, types.DString(v)) }
func (t *tuple) oid(name string, v oid) *tuple   { return t.set(name, types.DInt(int64(v))) }
func (t *tuple) char(name string, v byte) *tuple { return t.set(name, types.DBytes([]byte{v})) }
func (t *tuple) yes(name string, v bool) *tuple {
	return t.text(name, map[bool]string{true: "YES", false: "NO"}[v])
}
func (t *tuple) array(name, sep string, v []string) *tuple {
	return t.text(name, "{"+strings.Join(v, sep)+"}")
}

// end hands out the row and begins the next.
func (t *tuple) end() {
	if t.err == nil {
		t.buf = t.buf[:0]
		for i, c := range t.shape.cols {
			t.buf = types.AppendDatum(t.buf, c.Type.OID, t.values[i])
		}
		t.err = t.emit(t.buf)
	}
	copy(t.values, t.shape.defaults)
}

// tableRows computes the rows of one relation for a session, in a fixed order.
type tableRows func(s *Session, v *readView, t *tuple)

// tableContents are the relations that have rows; all others of
// relationFacts show objects of which there are none.
var tableContents = map[string]tableRows{}

// addPostgres adds PostgreSQL's own relations.
func (sr *systemRelations) addPostgres() {
	for _, shape := range tableShapes() {
		rel := &catalog.Relation{ID: shape.oid, Schema: shape.schema, Name: shape.name, Kind: catalog.System, Columns: shape.cols}
		contents := tableContents[shape.schema+"."+shape.name]
		sr.put(rel, func(s *Session, v *readView, row *rowBuilder) error {
			if contents == nil {
				return nil
			}
			t := &tuple{shape: shape, values: append([]types.Datum(nil), shape.defaults...), emit: row.emit}
			contents(s, v, t)
			return t.err
		})
	}
}
