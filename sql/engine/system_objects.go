package engine

import (
	_ "embed"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/parser"
	"github.com/helios-sql/helios-sql/sql/types"
)

// An oid identifies an object within one system catalog.
type oid = uint32

// OIDs of PostgreSQL's that others refer to.
const (
	ownerOID         oid = 10 // of all objects: the session's user
	databaseOID      oid = 5
	pgCatalogOID     oid = 11
	heliosOID        oid = 1000
	publicOID        oid = 2200
	infoSchemaOID    oid = 13207
	classOID         oid = 1259
	rewriteOID       oid = 2618
	constraintOID    oid = 2606
	heapOID          oid = 2
	btreeOID         oid = 403
	defaultCollation oid = 100
	cCollation       oid = 950
)

// Objects that belong to a relation have its ID in a range of their own;
// schemas have the hash of their name.
const (
	indexRange      oid = 1 << 27
	constraintRange oid = 2 << 27
	ruleRange       oid = 3 << 27
	schemaRange     oid = 4 << 27
	defaultRange    oid = 8 << 27
)

func indexOID(r *catalog.Relation) oid { return indexRange + oid(r.ID) }
func pkeyOID(r *catalog.Relation) oid  { return constraintRange + oid(r.ID) }
func ruleOID(r *catalog.Relation) oid  { return ruleRange + oid(r.ID) }

// A schema is a row of pg_namespace.
type schema struct {
	oid  oid
	name string
}

// schemas lists all schemas by OID.
func schemas(cat *catalog.Snapshot) []schema {
	out := []schema{{pgCatalogOID, "pg_catalog"}, {heliosOID, "helios"}, {publicOID, "public"}, {infoSchemaOID, "information_schema"}}
	names := slices.DeleteFunc(slices.Clone(cat.Schemas), func(n string) bool { return n == "public" })
	slices.Sort(names)
	used := map[oid]bool{}
	for _, n := range names {
		h := fnv.New32a()
		h.Write([]byte(n))
		id := schemaRange + h.Sum32()&0xffffff
		for used[id] {
			id++
		}
		used[id] = true
		out = append(out, schema{id, n})
	}
	if !slices.Contains(cat.Schemas, "public") {
		out = slices.Delete(out, 2, 3)
	}
	slices.SortFunc(out, func(a, b schema) int { return int(a.oid) - int(b.oid) })
	return out
}

// schemaOIDs gives the schemas' OIDs by name.
func schemaOIDs(cat *catalog.Snapshot) map[string]oid {
	out := map[string]oid{}
	for _, s := range schemas(cat) {
		out[s.name] = s.oid
	}
	return out
}

// relkind is pg_class.relkind. Captured tables are tables to clients.
func relkind(r *catalog.Relation) byte {
	switch r.Kind {
	case catalog.View:
		return 'v'
	case catalog.MaterializedView:
		return 'm'
	case catalog.System:
		for _, t := range tableShapes() {
			if t.oid == r.ID {
				return t.kind
			}
		}
		return 'v'
	}
	return 'r'
}

// hasPrimaryKey reports whether a relation shows its key as a constraint and
// an index.
func hasPrimaryKey(r *catalog.Relation) bool {
	return len(r.Key) > 0 && (r.Kind == catalog.Table || r.Kind == catalog.SourceTable)
}

// pkeyName is the name of the primary key and its index, as PostgreSQL makes it.
func pkeyName(r *catalog.Relation) string {
	name := r.Name
	for len(name) > 63-len("_pkey") {
		name = name[:len(name)-1]
	}
	return strings.ToValidUTF8(name, "") + "_pkey"
}

// keyColumns are the names of the primary key's columns, quoted where needed.
func keyColumns(r *catalog.Relation) string {
	names := make([]string, len(r.Key))
	for i, k := range r.Key {
		names[i] = parser.QuoteIdent(r.Columns[k].Name)
	}
	return strings.Join(names, ", ")
}

// indexDefinition is what pg_get_indexdef gives.
func indexDefinition(r *catalog.Relation) string {
	return fmt.Sprintf("CREATE UNIQUE INDEX %s ON %s.%s USING btree (%s)",
		parser.QuoteIdent(pkeyName(r)), parser.QuoteIdent(r.Schema), parser.QuoteIdent(r.Name), keyColumns(r))
}

// viewDefinition is what pg_get_viewdef gives: the text as it was written.
func viewDefinition(r *catalog.Relation) string {
	return " " + strings.TrimRight(strings.TrimSpace(r.Query), ";") + ";"
}

// columnDefault is a column's default, "" if there is none.
func columnDefault(r *catalog.Relation, col int) string {
	if col < len(r.Defaults) {
		return r.Defaults[col]
	}
	return ""
}

// A typeFact is PostgreSQL's row of a type in pg_type.
type typeFact struct {
	oid                               types.OID
	name                              string
	len                               int64
	byVal, preferred                  bool
	kind, category                    byte
	elem, array                       oid
	input, output, receive, send      oid
	modIn, modOut, analyze, subscript oid
	align, storage                    byte
	collation                         oid
}

// typeFactLines lists types in the order of typeFact's fields, as pg_type
// has them: oid, name, len, byVal, kind, category, preferred and so on.
//
//go:embed pgcatalog/types.txt
var typeFactLines string

// typeFacts are the types that we have, by OID.
var typeFacts = sync.OnceValue(func() []*typeFact {
	var out []*typeFact
	for line := range strings.Lines(typeFactLines) {
		w := strings.Fields(line)
		num := func(i int) oid { return oid(parseFact(w[i])) }
		t := &typeFact{oid: types.OID(num(0)), name: w[1], len: parseFact(w[2]), byVal: w[3] == "t", kind: w[4][0], category: w[5][0],
			preferred: w[6] == "t", elem: num(7), array: num(8), input: num(9), output: num(10), receive: num(11), send: num(12),
			modIn: num(13), modOut: num(14), analyze: num(15), subscript: num(16), align: w[17][0], storage: w[18][0], collation: num(19)}
		if t.oid.Known() {
			out = append(out, t)
		}
	}
	return out
})

func parseFact(s string) int64 {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("system relations: %v", err))
	}
	return v
}

// typeFactOf gives a type's facts; every type of a column has them.
func typeFactOf(t types.OID) *typeFact {
	i, ok := slices.BinarySearchFunc(typeFacts(), t, func(f *typeFact, t types.OID) int { return int(f.oid) - int(t) })
	if !ok {
		return typeFactOf(types.Text)
	}
	return typeFacts()[i]
}

// vector is the text of an int2vector or oidvector.
func vector[T oid | int](vs []T) string {
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = strconv.Itoa(int(v))
	}
	return strings.Join(out, " ")
}
