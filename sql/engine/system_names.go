package engine

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/exec/eval"
	"github.com/helios-sql/helios-sql/sql/parser"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

var _ eval.Catalog = (*names)(nil)

// A names is the catalog as a session sees it through OIDs and names.
type names struct {
	s     *Session
	cat   *catalog.Snapshot
	sizes map[catalog.ID]int64 // nil until they are asked for
}

func (s *Session) names(cat *catalog.Snapshot) *names { return &names{s: s, cat: cat} }

// A currentNames is a names of the catalog as it is when it is asked.
type currentNames struct{ s *Session }

func (c currentNames) RegText(t types.OID, id uint32) string {
	return c.s.names(c.s.catalog()).RegText(t, id)
}

func (c currentNames) RegOID(t types.OID, text string) (uint32, error) {
	return c.s.names(c.s.catalog()).RegOID(t, text)
}

// Names gives the text of OIDs in the session's results.
func (s *Session) Names() types.Names { return currentNames{s} }

// objectName is a possibly qualified name, quoted where it must be.
func objectName(schema, name string, visible bool) string {
	if visible {
		return parser.QuoteIdent(name)
	}
	return parser.QuoteIdent(schema) + "." + parser.QuoteIdent(name)
}

// class finds a relation, or the one that an index belongs to.
func (n *names) class(id oid) (r *catalog.Relation, index bool) {
	if r := n.cat.Relation(catalog.ID(id)); r != nil {
		return r, false
	}
	if id > indexRange && id < constraintRange {
		if r := n.cat.Relation(catalog.ID(id - indexRange)); r != nil && hasPrimaryKey(r) {
			return r, true
		}
	}
	return nil, false
}

func (n *names) visibleClass(r *catalog.Relation, index bool) bool {
	if !index {
		return n.cat.Lookup("", r.Name, n.s.path) == r
	}
	id, _ := n.findClass([]string{pkeyName(r)})
	return id == indexOID(r)
}

// RegText is the text of regclass and its kin.
func (n *names) RegText(t types.OID, id uint32) string {
	switch t {
	case types.RegClass:
		r, index := n.class(id)
		if r == nil {
			return ""
		}
		name := r.Name
		if index {
			name = pkeyName(r)
		}
		return objectName(r.Schema, name, n.visibleClass(r, index))
	case types.RegType:
		if types.OID(id).Known() {
			return typeText(types.OID(id))
		}
	case types.RegNamespace:
		for _, s := range schemas(n.cat) {
			if s.oid == id {
				return parser.QuoteIdent(s.name)
			}
		}
	case types.RegProc:
		all, _ := funcFacts()
		for _, f := range all {
			if f.oid == id {
				return objectName("pg_catalog", f.name, countFuncs(f.name) == 1)
			}
		}
	}
	return ""
}

// typeText is a type's name without modifier.
func typeText(t types.OID) string {
	switch t {
	case types.BPChar:
		return "character"
	case types.BPCharArray:
		return "character[]"
	}
	return t.String()
}

// countFuncs counts the functions of a name; those that only PostgreSQL has
// make it ambiguous, too.
func countFuncs(name string) (n int) {
	all, _ := funcFacts()
	for _, f := range all {
		if f.name == name {
			n++
			if f.more {
				n++
			}
		}
	}
	return n
}

// RegOID reads the text of regclass and its kin.
func (n *names) RegOID(t types.OID, text string) (uint32, error) {
	return n.Find(map[types.OID]string{types.RegClass: "pg_class", types.RegType: "pg_type", types.RegProc: "pg_proc",
		types.RegNamespace: "pg_namespace"}[t], text)
}

// Find gives the OID of an object by the name a user gives it.
func (n *names) Find(table, text string) (uint32, error) {
	switch table {
	case "pg_type":
		return findType(text)
	case "pg_database":
		if text != n.s.engine.opts.Database {
			return 0, pgerr.Newf(pgerr.InvalidCatalogName, "database %q does not exist", text)
		}
		return databaseOID, nil
	case "pg_tablespace":
		switch text {
		case "pg_default":
			return 1663, nil
		case "pg_global":
			return 1664, nil
		}
		return 0, pgerr.Newf(pgerr.UndefinedObject, "tablespace %q does not exist", text)
	}
	parts, err := splitName(text)
	if err != nil {
		return 0, err
	}
	shown := strings.Join(parts, ".")
	switch table {
	case "pg_class":
		return n.findClass(parts)
	case "pg_namespace":
		if id, ok := schemaOIDs(n.cat)[parts[0]]; ok && len(parts) == 1 {
			return id, nil
		}
		return 0, pgerr.Newf(pgerr.InvalidSchemaName, "schema %q does not exist", shown)
	case "pg_proc":
		name := parts[len(parts)-1]
		if len(parts) == 1 || parts[0] == "pg_catalog" {
			switch countFuncs(name) {
			case 0:
			case 1:
				all, _ := funcFacts()
				for _, f := range all {
					if f.name == name {
						return f.oid, nil
					}
				}
			default:
				return 0, pgerr.Newf(pgerr.AmbiguousFunction, "more than one function named %q", shown)
			}
		}
		return 0, pgerr.Newf(pgerr.UndefinedFunction, "function %q does not exist", shown)
	}
	return 0, pgerr.Newf(pgerr.UndefinedObject, "%q does not exist", shown)
}

// findClass finds a relation or an index.
func (n *names) findClass(parts []string) (oid, error) {
	if len(parts) == 3 && parts[0] == n.s.engine.opts.Database {
		parts = parts[1:]
	}
	schema, name := "", parts[len(parts)-1]
	if len(parts) > 1 {
		schema = parts[len(parts)-2]
	}
	if r := n.cat.Lookup(schema, name, n.s.path); r != nil {
		return oid(r.ID), nil
	}
	path := n.s.path
	if schema != "" {
		path = []string{schema}
	}
	for _, p := range path {
		for _, r := range n.cat.Relations() {
			if r.Schema == p && hasPrimaryKey(r) && pkeyName(r) == name {
				return indexOID(r), nil
			}
		}
	}
	if schema != "" && !n.cat.HasSchema(schema) {
		return 0, pgerr.Newf(pgerr.UndefinedTable, "relation %q does not exist", strings.Join(parts, "."))
	}
	return 0, pgerr.Newf(pgerr.UndefinedTable, "relation %q does not exist", strings.Join(parts, "."))
}

// findType finds a type by any of its spellings; a modifier says nothing.
func findType(text string) (oid, error) {
	name := strings.TrimSpace(text)
	if head, rest, ok := strings.Cut(name, "("); ok {
		_, tail, _ := strings.Cut(rest, ")")
		name = strings.TrimSpace(head) + tail
	}
	plain := lowerASCII(name)
	if q, ok := strings.CutPrefix(name, "pg_catalog."); ok {
		plain = lowerASCII(q)
	}
	if q, ok := strings.CutPrefix(plain, `"`); ok {
		q, ok = strings.CutSuffix(q, `"`)
		if ok {
			plain = q
		}
	} else if plain == "char" {
		plain = "bpchar"
	}
	if id, ok := types.OIDByName(plain); ok {
		return oid(id), nil
	}
	return 0, pgerr.Newf(pgerr.UndefinedObject, "type %q does not exist", text)
}

// splitName takes a qualified name apart, folding what is not quoted.
func splitName(text string) ([]string, error) {
	bad := pgerr.Newf(pgerr.InvalidName, "invalid name syntax")
	var parts []string
	rest := strings.TrimSpace(text)
	for {
		var part string
		if q, ok := strings.CutPrefix(rest, `"`); ok {
			for {
				i := strings.IndexByte(q, '"')
				if i < 0 {
					return nil, bad
				}
				part, q = part+q[:i], q[i+1:]
				if !strings.HasPrefix(q, `"`) {
					break
				}
				part, q = part+`"`, q[1:]
			}
			rest = q
		} else {
			i := strings.IndexAny(rest, ". \t\n\"")
			if i < 0 {
				i = len(rest)
			}
			part, rest = lowerASCII(rest[:i]), rest[i:]
		}
		if part == "" {
			return nil, bad
		}
		parts, rest = append(parts, part), strings.TrimLeft(rest, " \t\n")
		if rest == "" {
			return parts, nil
		}
		if rest[0] != '.' {
			return nil, bad
		}
		rest = strings.TrimLeft(rest[1:], " \t\n")
	}
}

// Visible reports whether an object is found without its schema.
func (n *names) Visible(table string, id uint32) (visible, ok bool) {
	switch table {
	case "pg_class":
		r, index := n.class(id)
		return r != nil && n.visibleClass(r, index), r != nil
	case "pg_type":
		return true, types.OID(id).Known()
	case "pg_database":
		return true, id == databaseOID
	case "pg_namespace":
		return true, n.RegText(types.RegNamespace, id) != ""
	case "pg_collation":
		return true, id == defaultCollation || id == cCollation || id == 951
	case "pg_tablespace":
		return true, id == 1663 || id == 1664
	case "pg_language":
		return true, id == 12 || id == 14
	case "pg_proc":
		all, _ := funcFacts()
		for _, f := range all {
			if f.oid == id {
				return true, f.used
			}
		}
	case "pg_operator":
		return true, strings.Contains("\n"+operatorFactLines, fmt.Sprintf("\n%d ", id))
	case "pg_opclass":
		for _, c := range operatorClasses {
			if c.oid == id {
				return true, true
			}
		}
	}
	return false, false
}

// Definition is the text behind pg_get_viewdef and its kin.
func (n *names) Definition(function string, id uint32, col int) (string, bool) {
	switch function {
	case "pg_get_viewdef":
		if r, index := n.class(id); r != nil && !index && r.Query != "" {
			return viewDefinition(r), true
		}
	case "pg_get_indexdef":
		r, index := n.class(id)
		switch {
		case !index || col < 0:
			return "", false
		case col == 0:
			return indexDefinition(r), true
		case col > len(r.Key):
			return "", true
		}
		return parser.QuoteIdent(r.Columns[r.Key[col-1]].Name), true
	case "pg_get_constraintdef":
		if id < constraintRange {
			return "", false
		}
		if r := n.cat.Relation(catalog.ID(id - constraintRange)); r != nil && hasPrimaryKey(r) {
			return "PRIMARY KEY (" + keyColumns(r) + ")", true
		}
	case "pg_get_ruledef":
		if id < ruleRange {
			return "", false
		}
		if r := n.cat.Relation(catalog.ID(id - ruleRange)); r != nil && r.Query != "" {
			return fmt.Sprintf("CREATE RULE \"_RETURN\" AS\n    ON SELECT TO %s DO INSTEAD %s", objectName(r.Schema, r.Name, false), viewDefinition(r)), true
		}
	case "pg_get_function_result", "pg_get_function_arguments", "pg_get_function_identity_arguments":
		all, _ := funcFacts()
		for _, f := range all {
			if f.oid != id {
				continue
			}
			shown := f.args
			if function == "pg_get_function_result" {
				shown = []string{f.result}
			}
			out := make([]string, len(shown))
			for i, a := range shown {
				out[i] = a
				if t, ok := types.OIDByName(a); ok {
					out[i] = typeText(t)
				}
			}
			s := strings.Join(out, ", ")
			if f.returnsSet && function == "pg_get_function_result" {
				s = "SETOF " + s
			}
			return s, true
		}
	case "pg_relation_is_updatable":
		const updateInsertDelete = 4 | 8 | 16
		if r := n.cat.Relation(catalog.ID(id)); r != nil && r.Kind == catalog.Table {
			return strconv.Itoa(updateInsertDelete), true
		}
	}
	return "", false
}

// Size is what a relation's state takes, or all of it.
func (n *names) Size(table string, id uint32) (int64, bool) {
	if n.sizes == nil {
		sizes, err := n.s.engine.stateSizes()
		if err != nil {
			return 0, false
		}
		n.sizes = sizes
	}
	if table == "pg_class" {
		r, index := n.class(id)
		if index {
			return 0, true
		}
		return n.sizes[catalog.ID(id)], r != nil
	}
	_, ok := n.Visible(table, id)
	all := int64(0)
	for _, v := range n.sizes {
		all += v
	}
	return all, ok
}

// RoleName knows the owner of all.
func (n *names) RoleName(id uint32) string {
	if id == ownerOID {
		return n.s.user
	}
	return ""
}

// SearchPath lists the schemas of the search path that exist.
func (n *names) SearchPath(implicit bool) []string {
	var out []string
	explicit := false
	for _, p := range n.s.path {
		explicit = explicit || p == "pg_catalog"
		if n.cat.HasSchema(p) {
			out = append(out, p)
		}
	}
	if implicit && !explicit {
		out = append([]string{"pg_catalog"}, out...)
	}
	return out
}

// started is when the program was.
var started = micros(time.Now())

// Started is when the server was started.
func (n *names) Started() int64 { return started }
