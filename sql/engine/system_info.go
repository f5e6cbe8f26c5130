package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/helios-sql/helios-sql/sql/catalog"
	"github.com/helios-sql/helios-sql/sql/parser"
	"github.com/helios-sql/helios-sql/sql/types"
)

// The information schema. Materialized views are views there: PostgreSQL does
// not show its own at all, but tools that look here would then see nothing of what we are for.
func init() {
	for name, rows := range map[string]tableRows{
		"information_schema_catalog_name": infoCatalog, "schemata": infoSchemata, "tables": infoTables, "columns": infoColumns, "views": infoViews,
		"table_constraints": infoTableConstraints, "key_column_usage": infoKeyColumns, "constraint_column_usage": infoConstraintColumns,
		"constraint_table_usage": infoConstraintTables, "check_constraints": infoChecks, "character_sets": infoCharacterSets,
		"collations": infoCollations, "enabled_roles": infoRoles, "table_privileges": infoGrants, "role_table_grants": infoGrants,
		"view_table_usage": infoViewTables, "element_types": infoElements,
	} {
		tableContents["information_schema."+name] = rows
	}
}

func infoCatalog(s *Session, _ *readView, t *tuple) {
	t.text("catalog_name", s.engine.opts.Database).end()
}

func infoSchemata(s *Session, v *readView, t *tuple) {
	for _, n := range schemas(v.cat) {
		t.text("catalog_name", s.engine.opts.Database).text("schema_name", n.name).text("schema_owner", s.user).end()
	}
}

// in sets the three columns that name a relation.
func (t *tuple) in(s *Session, r *catalog.Relation) *tuple { return t.relation("table", s, r) }

func (t *tuple) relation(prefix string, s *Session, r *catalog.Relation) *tuple {
	return t.text(prefix+"_catalog", s.engine.opts.Database).text(prefix+"_schema", r.Schema).text(prefix+"_name", r.Name)
}

// constraint sets the three columns that name a constraint of a relation.
func (t *tuple) constraint(s *Session, r *catalog.Relation, name string) *tuple {
	return t.text("constraint_catalog", s.engine.opts.Database).text("constraint_schema", r.Schema).text("constraint_name", name)
}

// written reports whether clients may change a relation's rows.
func written(r *catalog.Relation) bool { return r.Kind == catalog.Table }

func infoTables(s *Session, v *readView, t *tuple) {
	for _, r := range v.cat.Relations() {
		kind := "BASE TABLE"
		if relkind(r) != 'r' {
			kind = "VIEW"
		}
		t.in(s, r).text("table_type", kind).yes("is_insertable_into", written(r)).end()
	}
}

func infoColumns(s *Session, v *readView, t *tuple) {
	for _, r := range v.cat.Relations() {
		for i, c := range r.Columns {
			t.in(s, r).text("column_name", c.Name).int("ordinal_position", int64(i+1)).yes("is_nullable", !c.NotNull).
				text("udt_catalog", s.engine.opts.Database).text("udt_schema", "pg_catalog").text("udt_name", c.Type.OID.Name()).
				text("dtd_identifier", strconv.Itoa(i+1)).yes("is_updatable", written(r))
			if def := columnDefault(r, i); def != "" {
				t.text("column_default", def)
			}
			if c.Type.OID == types.Name {
				t.text("collation_catalog", s.engine.opts.Database).text("collation_schema", "pg_catalog").text("collation_name", "C")
			}
			t.dataType(c.Type)
			t.end()
		}
	}
}

// dataType sets the columns that describe a type.
func (t *tuple) dataType(typ types.Type) {
	name := types.T(typ.OID).String()
	if typ.OID.Elem() != 0 {
		t.text("data_type", "ARRAY")
		return
	}
	if typ.OID == types.BPChar {
		name = "character"
	}
	t.text("data_type", name)
	numeric := func(precision, radix int64) *tuple {
		return t.int("numeric_precision", precision).int("numeric_precision_radix", radix)
	}
	switch typ.OID {
	case types.VarChar, types.BPChar:
		if typ.Mod > 4 {
			t.int("character_maximum_length", int64(typ.Mod-4)).int("character_octet_length", int64(typ.Mod-4)*4)
			break
		}
		fallthrough
	case types.Text:
		t.int("character_octet_length", 1<<30)
	case types.Int2:
		numeric(16, 2).int("numeric_scale", 0)
	case types.Int4:
		numeric(32, 2).int("numeric_scale", 0)
	case types.Int8:
		numeric(64, 2).int("numeric_scale", 0)
	case types.Float4:
		numeric(24, 2)
	case types.Float8:
		numeric(53, 2)
	case types.Numeric:
		t.int("numeric_precision_radix", 10)
		if typ.Mod >= 4 {
			p, scale := int64(typ.Mod-4)>>16&0xffff, ((int64(typ.Mod)-4)&0x7ff^1024)-1024
			t.int("numeric_precision", p).int("numeric_scale", scale)
		}
	case types.Date:
		t.int("datetime_precision", 0)
	case types.Time, types.TimeTZ, types.Timestamp, types.TimestampTZ:
		p := int64(typ.Mod)
		if p < 0 {
			p = 6
		}
		t.int("datetime_precision", p)
	case types.Interval:
		p := int64(6)
		if typ.Mod >= 0 && typ.Mod&0xffff != 0xffff {
			p = int64(typ.Mod & 0xffff)
		}
		t.int("datetime_precision", p)
		fields := strings.TrimPrefix(typ.String(), "interval")
		fields, _, _ = strings.Cut(fields, "(")
		if fields != "" {
			t.text("interval_type", strings.ToUpper(strings.TrimSpace(fields)))
		}
	}
}

func infoElements(s *Session, v *readView, t *tuple) {
	for _, r := range v.cat.Relations() {
		for i, c := range r.Columns {
			elem := c.Type.OID.Elem()
			if elem == 0 {
				continue
			}
			kind := "TABLE"
			if relkind(r) != 'r' {
				kind = "VIEW"
			}
			n := strconv.Itoa(i + 1)
			t.relation("object", s, r).text("object_type", kind).text("collection_type_identifier", n).text("dtd_identifier", "a"+n).
				text("udt_catalog", s.engine.opts.Database).text("udt_schema", "pg_catalog").text("udt_name", elem.Name()).
				text("data_type", elem.String()).end()
		}
	}
}

func infoViews(s *Session, v *readView, t *tuple) {
	for _, r := range v.cat.Relations() {
		if relkind(r) == 'r' {
			continue
		}
		t.in(s, r)
		if r.Query != "" {
			t.text("view_definition", viewDefinition(r))
		}
		t.end()
	}
}

func infoViewTables(s *Session, v *readView, t *tuple) {
	for _, r := range v.cat.Relations() {
		deps := slices.Clone(r.Deps)
		slices.Sort(deps)
		for _, d := range slices.Compact(deps) {
			if on := v.cat.Relation(d); on != nil {
				t.relation("view", s, r).in(s, on).end()
			}
		}
	}
}

// notNulls calls f for every column of a user's relation that is not null,
// with the name that PostgreSQL gives the constraint.
func notNulls(cat *catalog.Snapshot, f func(r *catalog.Relation, col int, name string)) {
	oids := schemaOIDs(cat)
	for _, r := range cat.Relations() {
		if relkind(r) != 'r' {
			continue
		}
		for i, c := range r.Columns {
			if c.NotNull {
				f(r, i, fmt.Sprintf("%d_%d_%d_not_null", oids[r.Schema], r.ID, i+1))
			}
		}
	}
}

func infoTableConstraints(s *Session, v *readView, t *tuple) {
	withPrimaryKey(v.cat, func(r *catalog.Relation) { t.constraint(s, r, pkeyName(r)).in(s, r).end() })
	notNulls(v.cat, func(r *catalog.Relation, _ int, name string) {
		t.constraint(s, r, name).in(s, r).text("constraint_type", "CHECK").end()
	})
}

func infoChecks(s *Session, v *readView, t *tuple) {
	notNulls(v.cat, func(r *catalog.Relation, col int, name string) {
		t.constraint(s, r, name).text("check_clause", parser.QuoteIdent(r.Columns[col].Name)+" IS NOT NULL").end()
	})
}

func infoKeyColumns(s *Session, v *readView, t *tuple) {
	withPrimaryKey(v.cat, func(r *catalog.Relation) {
		for i, k := range r.Key {
			t.constraint(s, r, pkeyName(r)).in(s, r).text("column_name", r.Columns[k].Name).int("ordinal_position", int64(i+1)).end()
		}
	})
}

func infoConstraintColumns(s *Session, v *readView, t *tuple) {
	withPrimaryKey(v.cat, func(r *catalog.Relation) {
		for _, k := range r.Key {
			t.constraint(s, r, pkeyName(r)).in(s, r).text("column_name", r.Columns[k].Name).end()
		}
	})
}

func infoConstraintTables(s *Session, v *readView, t *tuple) {
	withPrimaryKey(v.cat, func(r *catalog.Relation) { t.constraint(s, r, pkeyName(r)).in(s, r).end() })
}

func infoCharacterSets(s *Session, _ *readView, t *tuple) {
	t.text("default_collate_catalog", s.engine.opts.Database).end()
}

func infoCollations(s *Session, _ *readView, t *tuple) {
	for _, name := range []string{"default", "C", "POSIX"} {
		t.text("collation_catalog", s.engine.opts.Database).text("collation_schema", "pg_catalog").text("collation_name", name).end()
	}
}

func infoRoles(s *Session, _ *readView, t *tuple) { t.text("role_name", s.user).end() }

// infoGrants shows that the user may do what can be done with a relation.
func infoGrants(s *Session, v *readView, t *tuple) {
	for _, r := range v.cat.Relations() {
		if r.Kind == catalog.System {
			continue
		}
		for _, p := range []string{"INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"} {
			t.in(s, r).text("grantor", s.user).text("grantee", s.user).text("privilege_type", p).yes("with_hierarchy", p == "SELECT").end()
		}
	}
}
