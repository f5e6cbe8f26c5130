package eval

import (
	"strconv"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// A Catalog is what functions ask about the objects of the database. All
// OIDs are those that the system catalogs show.
type Catalog interface {
	types.Names
	// Visible reports whether an object of the named system catalog is found without
	// its schema, and whether there is one.
	Visible(catalog string, id uint32) (visible, ok bool)
	// Definition is the text behind pg_get_viewdef and its kin, which is
	// named; col is an index's column from 1, 0 for all of it.
	Definition(function string, id uint32, col int) (text string, ok bool)
	// Find gives the OID of an object of a system catalog by its name as a user
	// writes it; an error says that there is none.
	Find(catalog, name string) (id uint32, err error)
	// Size is what an object of pg_class or pg_database takes on disk.
	Size(catalog string, id uint32) (bytes int64, ok bool)
	// RoleName is the name of a role, "" if there is none.
	RoleName(id uint32) string
	// SearchPath lists the schemas that names are looked for in, of all that
	// there are; implicit adds those that are always searched.
	SearchPath(implicit bool) []string
	// Started is when the server was started, as a timestamptz.
	Started() int64
}

// systemFuncs are the functions that read the system catalogs. Without a
// Catalog they answer as over an empty one.
var systemFuncs = func() map[string]impl {
	m := map[string]impl{
		"format_type(oid,int4)": fnN(formatType),
		"pg_get_userbyid(oid)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
			if c := f.ctx.Catalog; c != nil {
				if name := c.RoleName(uint32(a.I)); name != "" {
					return f.keepString(name), nil
				}
			}
			return f.keepString("unknown (OID=" + strconv.FormatInt(a.I, 10) + ")"), nil
		}),
		"current_schemas(bool)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
			var names []types.Datum
			if c := f.ctx.Catalog; c != nil {
				for _, n := range c.SearchPath(a.I != 0) {
					names = append(names, types.DString(n))
				}
			}
			return f.keepArray(types.Name, names)
		}),
		"pg_get_expr(text,oid)":      fn2(func(_ *Frame, a, _ types.Datum) (types.Datum, error) { return a, nil }),
		"pg_get_expr(text,oid,bool)": fn3(func(_ *Frame, a, _, _ types.Datum) (types.Datum, error) { return a, nil }),
		"pg_is_in_recovery()":        fn0(answer(types.DBool(false))),
		"pg_my_temp_schema()":        fn0(answer(types.DInt(0))),
		"inet_client_port()":         fn0(answer(types.NullDatum)),
		"inet_server_port()":         fn0(answer(types.NullDatum)),
		"pg_advisory_unlock_all()":   fn0(answer(types.DString(""))),
		"pg_postmaster_start_time()": fn0(func(f *Frame) (types.Datum, error) {
			if f.ctx.Catalog == nil {
				return types.DInt(f.ctx.Now), nil
			}
			return types.DInt(f.ctx.Catalog.Started()), nil
		}),
		"pg_encoding_to_char(int4)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
			return f.keepString(map[int64]string{0: "SQL_ASCII", utf8Encoding: "UTF8"}[a.I]), nil
		}),
		"pg_char_to_encoding(name)": fn1(func(_ *Frame, a types.Datum) (types.Datum, error) {
			switch string(a.B) {
			case "UTF8", "utf8", "UTF-8", "utf-8", "unicode", "UNICODE":
				return types.DInt(utf8Encoding), nil
			case "SQL_ASCII", "sql_ascii":
				return types.DInt(0), nil
			}
			return types.DInt(-1), nil
		}),
		"pg_size_pretty(int8)": fn1(sizePretty),
		"pg_relation_is_updatable(regclass,bool)": fn2(func(f *Frame, a, _ types.Datum) (types.Datum, error) {
			text := f.definition("pg_relation_is_updatable", a, 0)
			if text.Null {
				return types.DInt(0), nil
			}
			n, err := strconv.ParseInt(string(text.B), 10, 64)
			return types.DInt(n), err
		}),
		"pg_relation_size(regclass,text)": fn2(func(f *Frame, a, fork types.Datum) (types.Datum, error) {
			switch string(fork.B) {
			case "main":
				return f.size("pg_class", a)
			case "fsm", "vm", "init":
				return types.DInt(0), nil
			}
			return a, pgerr.Newf(pgerr.InvalidParameterValue, "invalid fork name").
				WithHint(`Valid fork names are "main", "fsm", "vm", and "init".`)
		}),
		"pg_indexes_size(regclass)": fn1(func(_ *Frame, _ types.Datum) (types.Datum, error) { return types.DInt(0), nil }),
	}
	for _, n := range []string{"pg_relation_size", "pg_table_size", "pg_total_relation_size"} {
		m[n+"(regclass)"] = fn1(func(f *Frame, a types.Datum) (types.Datum, error) { return f.size("pg_class", a) })
	}
	for name, catalog := range map[string]string{"database": "pg_database", "tablespace": "pg_tablespace"} {
		m["pg_"+name+"_size(oid)"] = fn1(func(f *Frame, a types.Datum) (types.Datum, error) { return f.size(catalog, a) })
		m["pg_"+name+"_size(name)"] = fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
			a, err := f.find(catalog, a)
			if err != nil {
				return a, err
			}
			return f.size(catalog, a)
		})
	}
	for name, catalog := range map[string]string{"table": "pg_class", "type": "pg_type", "function": "pg_proc", "operator": "pg_operator",
		"opclass": "pg_opclass", "opfamily": "pg_opfamily", "collation": "pg_collation", "conversion": "pg_conversion",
		"statistics_obj": "pg_statistic_ext", "ts_config": "pg_ts_config", "ts_dict": "pg_ts_dict", "ts_parser": "pg_ts_parser",
		"ts_template": "pg_ts_template"} {
		m["pg_"+name+"_is_visible(oid)"] = fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
			if f.ctx.Catalog == nil {
				return types.NullDatum, nil
			}
			visible, ok := f.ctx.Catalog.Visible(catalog, uint32(a.I))
			return types.Datum{I: types.DBool(visible).I, Null: !ok}, nil
		})
	}
	for _, n := range []string{"constraintdef", "expr", "function_arguments", "function_identity_arguments", "function_result", "function_sqlbody",
		"functiondef", "indexdef", "partkeydef", "ruledef", "statisticsobjdef", "statisticsobjdef_columns", "triggerdef", "viewdef"} {
		n = "pg_get_" + n
		m[n+"(oid)"] = fn1(func(f *Frame, a types.Datum) (types.Datum, error) { return f.definition(n, a, 0), nil })
		m[n+"(oid,bool)"] = fn2(func(f *Frame, a, _ types.Datum) (types.Datum, error) { return f.definition(n, a, 0), nil })
	}
	m["pg_get_viewdef(oid,int4)"] = m["pg_get_viewdef(oid,bool)"]
	m["pg_get_indexdef(oid,int4,bool)"] = fn3(func(f *Frame, a, col, _ types.Datum) (types.Datum, error) {
		return f.definition("pg_get_indexdef", a, int(col.I)), nil
	})
	viewdef := func(f *Frame, a types.Datum) (types.Datum, error) {
		a, err := f.find("pg_class", a)
		if err != nil {
			return a, err
		}
		return f.definition("pg_get_viewdef", a, 0), nil
	}
	m["pg_get_viewdef(text)"] = fn1(viewdef)
	m["pg_get_viewdef(text,bool)"] = fn2(func(f *Frame, a, _ types.Datum) (types.Datum, error) { return viewdef(f, a) })
	m["pg_get_serial_sequence(text,text)"] = fn2(func(f *Frame, a, _ types.Datum) (types.Datum, error) {
		_, err := f.find("pg_class", a)
		return types.NullDatum, err
	})
	for _, id := range []string{"obj_description(oid)", "pg_tablespace_location(oid)", "pg_is_other_temp_schema(oid)", "pg_relation_is_publishable(regclass)",
		"row_security_active(oid)", "row_security_active(text)"} {
		d := types.DBool(false)
		switch id {
		case "obj_description(oid)":
			d = types.NullDatum
		case "pg_tablespace_location(oid)":
			d = types.DString("")
		}
		m[id] = fn1(func(*Frame, types.Datum) (types.Datum, error) { return d, nil })
	}
	for _, id := range []string{"obj_description(oid,name)", "shobj_description(oid,name)", "col_description(oid,int4)"} {
		m[id] = fn2(func(*Frame, types.Datum, types.Datum) (types.Datum, error) { return types.NullDatum, nil })
	}
	for reg, catalog := range map[string]string{"regclass": "pg_class", "regtype": "pg_type", "regproc": "pg_proc", "regnamespace": "pg_namespace"} {
		m["to_"+reg+"(text)"] = fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
			d, err := f.find(catalog, a)
			if err != nil {
				return types.NullDatum, nil //nolint:nilerr // PostgreSQL's to_regclass is NULL for what does not exist
			}
			return d, nil
		})
	}
	m["regclass(text)"] = fn1(func(f *Frame, a types.Datum) (types.Datum, error) { return f.find("pg_class", a) })
	addPrivileges(m)
	return m
}()

// utf8Encoding is the number of UTF8 in pg_database.encoding.
const utf8Encoding = 6

func answer(d types.Datum) fn0 { return func(*Frame) (types.Datum, error) { return d, nil } }

// privilegeCatalogs are where the objects of has_…_privilege are.
var privilegeCatalogs = map[string]string{"any_column": "pg_class", "column": "pg_class", "database": "pg_database", "function": "pg_proc",
	"language": "pg_language", "schema": "pg_namespace", "table": "pg_class", "tablespace": "pg_tablespace", "type": "pg_type"}

// addPrivileges adds has_…_privilege and pg_has_role: whoever is connected
// may do anything with what there is.
func addPrivileges(m map[string]impl) {
	for name, catalog := range privilegeCatalogs {
		for _, fn := range scalar.Functions("has_" + name + "_privilege") {
			object := len(fn.Args) - 2 // after the role, if it is given
			if name == "column" {
				object = 0
			}
			byName := fn.Args[object] == types.Text
			check := func(f *Frame, a types.Datum) (types.Datum, error) {
				if byName {
					_, err := f.find(catalog, a)
					return types.DBool(true), err
				}
				if f.ctx.Catalog != nil {
					if _, ok := f.ctx.Catalog.Visible(catalog, uint32(a.I)); !ok {
						return types.NullDatum, nil
					}
				}
				return types.DBool(true), nil
			}
			switch {
			case len(fn.Args) == 2:
				m[fn.ID] = fn2(func(f *Frame, a, _ types.Datum) (types.Datum, error) { return check(f, a) })
			case object == 0:
				m[fn.ID] = fn3(func(f *Frame, a, _, _ types.Datum) (types.Datum, error) { return check(f, a) })
			default:
				m[fn.ID] = fn3(func(f *Frame, _, a, _ types.Datum) (types.Datum, error) { return check(f, a) })
			}
		}
	}
	for _, fn := range scalar.Functions("pg_has_role") {
		if len(fn.Args) == 2 {
			m[fn.ID] = fn2(func(*Frame, types.Datum, types.Datum) (types.Datum, error) { return types.DBool(true), nil })
		} else {
			m[fn.ID] = fn3(func(*Frame, types.Datum, types.Datum, types.Datum) (types.Datum, error) {
				return types.DBool(true), nil
			})
		}
	}
}

// find gives the OID of a named object.
func (f *Frame) find(catalog string, name types.Datum) (types.Datum, error) {
	if f.ctx.Catalog == nil {
		return types.Datum{}, pgerr.Newf(pgerr.UndefinedObject, "%q does not exist", string(name.B))
	}
	id, err := f.ctx.Catalog.Find(catalog, string(name.B))
	return types.DInt(int64(id)), err
}

func (f *Frame) definition(function string, id types.Datum, col int) types.Datum {
	if f.ctx.Catalog != nil {
		if text, ok := f.ctx.Catalog.Definition(function, uint32(id.I), col); ok {
			return f.keepString(text)
		}
	}
	return types.NullDatum
}

func (f *Frame) size(catalog string, id types.Datum) (types.Datum, error) {
	if f.ctx.Catalog != nil {
		if n, ok := f.ctx.Catalog.Size(catalog, uint32(id.I)); ok {
			return types.DInt(n), nil
		}
	}
	return types.NullDatum, nil
}

// keepArray makes an array of one dimension.
func (f *Frame) keepArray(elem types.OID, elems []types.Datum) (types.Datum, error) {
	a := types.Array{Elem: elem, Elems: elems}
	if len(elems) > 0 {
		a.Dims = []types.ArrayDim{{Len: int32(len(elems)), Lower: 1}}
	}
	return f.keep(types.AppendArray(f.out(), &a)), nil
}

// internalTypes are types that format_type names and no value here has.
var internalTypes = map[types.OID]string{22: "int2vector", 30: "oidvector", 2275: "cstring", 2277: "anyarray", 2279: "trigger", 2281: "internal"}

func formatType(f *Frame, args []types.Datum) (types.Datum, error) {
	if args[0].Null {
		return types.NullDatum, nil
	}
	t := types.T(types.OID(args[0].I))
	name := internalTypes[t.OID]
	switch {
	case t.OID == 0:
		name = "-"
	case name != "":
	case !t.OID.Known():
		name = "???"
	case args[1].Null && (t.OID == types.BPChar || t.OID == types.BPCharArray):
		name = map[types.OID]string{types.BPChar: "character", types.BPCharArray: "character[]"}[t.OID]
	default:
		if !args[1].Null {
			t.Mod = int32(args[1].I)
		}
		name = t.String()
	}
	return f.keepString(name), nil
}

// sizePretty is PostgreSQL's: whole numbers of the largest unit of which there are at least ten,
// rounded half away from zero at each step.
func sizePretty(f *Frame, a types.Datum) (types.Datum, error) {
	n := a.I
	for i, unit := range []string{"bytes", "kB", "MB", "GB", "TB", "PB"} {
		limit := int64(20*1024 - 1) // n counts half units but for bytes
		if i == 0 {
			limit = 10 * 1024
		}
		if n > -limit && n < limit || i == 5 {
			if i > 0 {
				n = halfRounded(n)
			}
			return f.keep(append(strconv.AppendInt(f.out(), n, 10), " "+unit...)), nil
		}
		if i == 0 {
			n /= 1 << 9
		} else {
			n /= 1 << 10
		}
	}
	return a, nil
}

// halfRounded halves a number, away from zero at a half.
func halfRounded(n int64) int64 {
	if n < 0 {
		return (n - 1) / 2
	}
	return (n + 1) / 2
}
