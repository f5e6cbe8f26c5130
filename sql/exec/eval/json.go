package eval

import (
	"bytes"
	"strconv"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// jsonFuncs are the operators and functions of json and jsonb.
var jsonFuncs = func() map[string]impl {
	m := map[string]impl{
		"jsonb_contains(jsonb,jsonb)": fn2(func(_ *Frame, a, b types.Datum) (types.Datum, error) {
			return types.DBool(jsonContains(a.B, b.B, true)), nil
		}),
		"jsonb_contained(jsonb,jsonb)": fn2(func(_ *Frame, a, b types.Datum) (types.Datum, error) {
			return types.DBool(jsonContains(b.B, a.B, true)), nil
		}),
		"jsonb_exists(jsonb,text)":      fn2(func(_ *Frame, a, b types.Datum) (types.Datum, error) { return types.DBool(jsonExists(a.B, b.B)), nil }),
		"jsonb_exists_any(jsonb,_text)": existsMany(false),
		"jsonb_exists_all(jsonb,_text)": existsMany(true),
		"jsonb_concat(jsonb,jsonb)":     fn2(jsonConcat),
		"jsonb_delete(jsonb,text)": fn2(func(f *Frame, a, k types.Datum) (types.Datum, error) {
			return jsonDelete(f, a.B, func(name []byte) bool { return jsonIs(name, k.B) })
		}),
		"jsonb_delete(jsonb,_text)": fn2(func(f *Frame, a, keys types.Datum) (types.Datum, error) {
			path := textArray(keys.B)
			return jsonDelete(f, a.B, func(name []byte) bool {
				for _, k := range path {
					if !k.Null && jsonIs(name, k.B) {
						return true
					}
				}
				return false
			})
		}),
		"jsonb_delete(jsonb,int4)":       fn2(jsonDeleteIndex),
		"jsonb_delete_path(jsonb,_text)": fn2(jsonDeletePath),
		"jsonb_set(jsonb,_text,jsonb)":   fn3(func(f *Frame, a, p, v types.Datum) (types.Datum, error) { return jsonSet(f, a, p, v, true) }),
		"jsonb_set(jsonb,_text,jsonb,bool)": fnN(func(f *Frame, args []types.Datum) (types.Datum, error) {
			return jsonSet(f, args[0], args[1], args[2], args[3].I != 0)
		}),
		"jsonb_pretty(jsonb)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) { return f.keep(jsonPretty(f.out(), a.B, 0)), nil }),
		"jsonb_strip_nulls(jsonb)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
			return f.keep(jsonStrip(f.out(), a.B, ": ", ", ")), nil
		}),
		"json_strip_nulls(json)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
			return f.keep(jsonStrip(f.out(), jsonTrim(a.B), ":", ",")), nil
		}),
		"jsonb_insert(jsonb,_text,jsonb)": fn3(func(f *Frame, a, p, v types.Datum) (types.Datum, error) { return jsonInsert(f, a, p, v, false) }),
		"jsonb_insert(jsonb,_text,jsonb,bool)": fnN(func(f *Frame, args []types.Datum) (types.Datum, error) {
			return jsonInsert(f, args[0], args[1], args[2], args[3].I != 0)
		}),
	}
	for _, t := range []string{"json", "jsonb"} {
		m[t+"_object_field("+t+",text)"] = jsonGet(false, func(s []byte, d types.Datum) ([]byte, bool) { return jsonField(s, d.B) })
		m[t+"_object_field_text("+t+",text)"] = jsonGet(true, func(s []byte, d types.Datum) ([]byte, bool) { return jsonField(s, d.B) })
		m[t+"_array_element("+t+",int4)"] = jsonGet(false, element(t))
		m[t+"_array_element_text("+t+",int4)"] = jsonGet(true, element(t))
		m[t+"_extract_path("+t+",_text)"] = jsonGet(false, jsonPathArray)
		m[t+"_extract_path_text("+t+",_text)"] = jsonGet(true, jsonPathArray)
		m[t+"_extract_path("+t+",text...)"] = jsonPathArgs(false)
		m[t+"_extract_path_text("+t+",text...)"] = jsonPathArgs(true)
		m[t+"_typeof("+t+")"] = fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
			return f.keepString(jsonKind(jsonTrim(a.B))), nil
		})
		m[t+"_array_length("+t+")"] = fn1(jsonArrayLength)
	}
	for _, t := range []types.OID{types.Int2, types.Int4, types.Int8, types.Float4, types.Float8, types.Numeric} {
		m[t.Name()+"(jsonb)"] = jsonNumber(t)
	}
	m["bool(jsonb)"] = fn1(func(_ *Frame, a types.Datum) (types.Datum, error) {
		if jsonKind(a.B) != "boolean" {
			return a, errJSONCast(a.B, types.Bool)
		}
		return types.DBool(a.B[0] == 't'), nil
	})
	return m
}()

// element looks up an array's element; a scalar of jsonb is an array of itself.
func element(t string) func(s []byte, by types.Datum) ([]byte, bool) {
	return func(s []byte, by types.Datum) ([]byte, bool) {
		if t == "jsonb" && !jsonContainer(s) && (by.I == 0 || by.I == -1) {
			return s, true
		}
		return jsonElement(s, by.I)
	}
}

// jsonGet lifts a look-up; as text, strings lose their quotes and null is NULL.
func jsonGet(text bool, find func(s []byte, by types.Datum) ([]byte, bool)) fn2 {
	return func(f *Frame, a, by types.Datum) (types.Datum, error) {
		v, ok := find(jsonTrim(a.B), by)
		return jsonResult(f, v, ok, text), nil
	}
}

func jsonResult(f *Frame, v []byte, ok, text bool) types.Datum {
	switch {
	case !ok || text && v[0] == 'n':
		return types.NullDatum
	case text && v[0] == '"':
		if inner := v[1 : len(v)-1]; bytes.IndexByte(inner, '\\') < 0 {
			return types.Datum{B: inner}
		}
		return f.keep(jsonUnquote(f.out(), v))
	}
	return types.Datum{B: v}
}

// textArray gives the elements of a text[].
func textArray(p []byte) []types.Datum { return types.DecodeArray(types.Text, p).Elems }

func jsonPathArray(s []byte, path types.Datum) ([]byte, bool) { return jsonPath(s, textArray(path.B)) }

// jsonPath follows keys and indexes downwards.
func jsonPath(s []byte, path []types.Datum) ([]byte, bool) {
	for _, step := range path {
		ok := !step.Null
		if ok && s[0] == '{' {
			s, ok = jsonField(s, step.B)
		} else if ok {
			var i int64
			if i, ok = jsonIndex(step.B); ok {
				s, ok = jsonElement(s, i)
			}
		}
		if !ok {
			return nil, false
		}
	}
	return s, true
}

// jsonIndex reads an array index as C's strtoint does.
func jsonIndex(s []byte) (int64, bool) {
	i, err := strconv.ParseInt(string(bytes.TrimLeft(s, " \t\n\v\f\r")), 10, 32)
	return i, err == nil
}

func jsonPathArgs(text bool) fnN {
	return func(f *Frame, args []types.Datum) (types.Datum, error) {
		v, ok := jsonPath(jsonTrim(args[0].B), args[1:])
		return jsonResult(f, v, ok, text), nil
	}
}

func errJSON(text string) error { return pgerr.Newf(pgerr.InvalidParameterValue, "%s", text) }

func jsonArrayLength(_ *Frame, a types.Datum) (types.Datum, error) {
	s := jsonTrim(a.B)
	switch s[0] {
	case '[':
		return types.DInt(int64(jsonCount(s))), nil
	case '{':
		return a, errJSON("cannot get array length of a non-array")
	}
	return a, errJSON("cannot get array length of a scalar")
}

func existsMany(all bool) fn2 {
	return func(_ *Frame, a, keys types.Datum) (types.Datum, error) {
		for _, k := range textArray(keys.B) {
			if !k.Null && jsonExists(a.B, k.B) != all {
				return types.DBool(!all), nil
			}
		}
		return types.DBool(all), nil
	}
}

func jsonConcat(f *Frame, a, b types.Datum) (types.Datum, error) {
	x, y := a.B, b.B
	if x[0] == '{' && y[0] == '{' {
		text := append([]byte(nil), x[:len(x)-1]...)
		if len(x) > 2 && len(y) > 2 {
			text = append(text, ',')
		}
		return f.keepErr(types.JSONBFromText(f.out(), append(text, y[1:]...)))
	}
	inner := func(s []byte) []byte {
		if s[0] == '[' {
			return s[1 : len(s)-1]
		}
		return s
	}
	out := append(append(f.out(), '['), inner(x)...)
	if len(inner(x)) > 0 && len(inner(y)) > 0 {
		out = append(out, ", "...)
	}
	return f.keep(append(append(out, inner(y)...), ']')), nil
}

// A jsonWriter writes the items of a container in jsonb's form.
type jsonWriter struct {
	out   []byte
	first bool
}

func newJSONWriter(out []byte, opening byte) *jsonWriter {
	return &jsonWriter{out: append(out, opening), first: true}
}

func (w *jsonWriter) item(key []byte) {
	if !w.first {
		w.out = append(w.out, ", "...)
	}
	w.first = false
	if key != nil {
		w.out = append(append(w.out, key...), ": "...)
	}
}

// closing matches an opening brace or bracket.
func closing(s []byte) byte { return s[len(s)-1] }

func jsonDelete(f *Frame, s []byte, drop func(name []byte) bool) (types.Datum, error) {
	if !jsonContainer(s) {
		return types.Datum{}, errJSON("cannot delete from scalar")
	}
	w := newJSONWriter(f.out(), s[0])
	for k, v := range jsonItems(s) {
		if k != nil && drop(k) || k == nil && v[0] == '"' && drop(v) {
			continue
		}
		w.item(k)
		w.out = append(w.out, v...)
	}
	return f.keep(append(w.out, closing(s))), nil
}

func jsonDeleteIndex(f *Frame, a, n types.Datum) (types.Datum, error) {
	switch {
	case !jsonContainer(a.B):
		return a, errJSON("cannot delete from scalar")
	case a.B[0] == '{':
		return a, errJSON("cannot delete from object using integer index")
	}
	i := n.I
	if i < 0 {
		i += int64(jsonCount(a.B))
	}
	w := newJSONWriter(f.out(), '[')
	var at int64
	for _, v := range jsonItems(a.B) {
		if at++; at-1 == i {
			continue
		}
		w.item(nil)
		w.out = append(w.out, v...)
	}
	return f.keep(append(w.out, ']')), nil
}

func jsonDeletePath(f *Frame, a, p types.Datum) (types.Datum, error) {
	path := textArray(p.B)
	if !jsonContainer(a.B) {
		return a, errJSON("cannot delete path in scalar")
	}
	if len(path) == 0 || len(a.B) == 2 {
		return a, nil
	}
	return f.keepErr(jsonEdit(f.out(), a.B, path, 0, nil, false))
}

func jsonSet(f *Frame, a, p, v types.Datum, create bool) (types.Datum, error) {
	path := textArray(p.B)
	if !jsonContainer(a.B) {
		return a, errJSON("cannot set path in scalar")
	}
	if len(path) == 0 || !create && len(a.B) == 2 {
		return a, nil
	}
	out, err := jsonEdit(nil, a.B, path, 0, v.B, create)
	if err != nil {
		return a, err
	}
	return f.keepErr(types.JSONBFromText(f.out(), out))
}

// jsonEdit appends s with the value at path[level:] replaced by with, or
// removed where with is nil. create adds a last step that is missing.
func jsonEdit(dst, s []byte, path []types.Datum, level int, with []byte, create bool) ([]byte, error) {
	step, last := path[level], level == len(path)-1
	if step.Null {
		return dst, pgerr.Newf("22004", "path element at position %d is null", level+1)
	}
	if !jsonContainer(s) {
		return append(dst, s...), nil
	}
	at, n := int64(-1), int64(0)
	if s[0] == '[' {
		i, ok := jsonIndex(step.B)
		if !ok {
			return dst, pgerr.Newf(pgerr.InvalidTextRepresentation, "path element at position %d is not an integer: \"%s\"", level+1, step.B)
		}
		count := int64(jsonCount(s))
		if at = i; i < 0 {
			at = count + i
		}
		if at < 0 && with != nil && create && last {
			w := newJSONWriter(dst, '[')
			w.item(nil)
			w.out = append(w.out, with...)
			if count > 0 {
				w.item(nil)
				w.out = append(w.out, s[1:len(s)-1]...)
			}
			return append(w.out, ']'), nil
		}
	}
	w := newJSONWriter(dst, s[0])
	found := false
	for k, v := range jsonItems(s) {
		hit := k == nil && n == at || k != nil && jsonIs(k, step.B)
		n++
		if hit && last {
			found = true
			if with != nil {
				w.item(k)
				w.out = append(w.out, with...)
			}
			continue
		}
		w.item(k)
		if !hit {
			w.out = append(w.out, v...)
			continue
		}
		found = true
		var err error
		if w.out, err = jsonEdit(w.out, v, path, level+1, with, create); err != nil {
			return dst, err
		}
	}
	if !found && last && create && with != nil {
		var key []byte
		if s[0] == '{' {
			key = types.AppendJSONString(nil, step.B)
		}
		w.item(key)
		w.out = append(w.out, with...)
	}
	return append(w.out, closing(s)), nil
}

func jsonPretty(out, s []byte, depth int) []byte {
	if !jsonContainer(s) {
		return append(out, s...)
	}
	out = append(out, s[0])
	first := true
	for k, v := range jsonItems(s) {
		if !first {
			out = append(out, ',')
		}
		first = false
		out = indent(out, depth+1)
		if k != nil {
			out = append(append(out, k...), ": "...)
		}
		out = jsonPretty(out, v, depth+1)
	}
	return append(indent(out, depth), closing(s))
}

func indent(out []byte, depth int) []byte {
	out = append(out, '\n')
	for range 4 * depth {
		out = append(out, ' ')
	}
	return out
}

// jsonStrip appends s without the members that are null.
func jsonStrip(out, s []byte, colon, comma string) []byte {
	if !jsonContainer(s) {
		return append(out, s...)
	}
	out = append(out, s[0])
	first := true
	for k, v := range jsonItems(s) {
		if k != nil && v[0] == 'n' {
			continue
		}
		if !first {
			out = append(out, comma...)
		}
		first = false
		if k != nil {
			out = append(append(out, k...), colon...)
		}
		out = jsonStrip(out, v, colon, comma)
	}
	return append(out, closing(s))
}

func errJSONCast(s []byte, t types.OID) error {
	kind := jsonKind(s)
	if kind == "number" {
		kind = "numeric"
	}
	return pgerr.Newf(pgerr.InvalidParameterValue, "cannot cast jsonb %s to type %s", kind, t)
}

// jsonNumber casts a jsonb number through numeric.
func jsonNumber(t types.OID) fn1 {
	return func(f *Frame, a types.Datum) (types.Datum, error) {
		if jsonKind(a.B) != "number" {
			return a, errJSONCast(a.B, t)
		}
		n, err := f.keepErr(types.NumericParse(f.out(), a.B))
		if err != nil {
			return n, err
		}
		switch t {
		case types.Numeric:
			return n, nil
		case types.Float8:
			v, err := types.NumericToFloat64(n.B)
			return types.DFloat(v), err
		case types.Float4:
			v, err := types.NumericToFloat32(n.B)
			return types.DFloat(float64(v)), err
		}
		v, err := types.NumericToInt(t, n.B)
		return types.DInt(v), err
	}
}

// isoTimestamp rewrites a timestamp's text with a T, and its zone with minutes.
func isoTimestamp(text []byte, zone bool) []byte {
	i := bytes.IndexByte(text, ' ')
	if i < 0 {
		return text
	}
	out := append([]byte(nil), text...)
	out[i] = 'T'
	if zone {
		end := len(out)
		if bytes.HasSuffix(out, []byte(" BC")) {
			end -= 3
		}
		if sign := bytes.LastIndexAny(out[:end], "+-"); end-sign == 3 {
			out = append(out[:end:end], append([]byte(":00"), out[end:]...)...)
		}
	}
	return out
}
