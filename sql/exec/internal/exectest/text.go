package exectest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/helios-sql/helios-sql/sql/types"
	"github.com/helios-sql/helios-sql/sql/zset"
)

// ErrTypes are the types of rows of errors.
var ErrTypes = []types.Type{types.T(types.Text), types.T(types.Text)}

// ParseRow reads a row such as (1, 10.00, NULL).
func ParseRow(ts []types.Type, text string) (types.Row, error) {
	text = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "("), ")")
	fields := strings.Split(text, ",")
	if len(ts) == 0 && text == "" {
		return types.Row{}, nil
	}
	if len(fields) != len(ts) {
		return nil, fmt.Errorf("row (%s) has %d values, not %d", text, len(fields), len(ts))
	}
	var row []byte
	var err error
	for i, f := range fields {
		switch f = strings.TrimSpace(f); f {
		case "NULL":
			row = types.AppendNull(row)
		case "UNCHANGED":
			row = types.AppendUnchanged(row)
		default:
			if row, err = types.AppendFromText(row, ts[i], []byte(f)); err != nil {
				return nil, err
			}
		}
	}
	return row, nil
}

// FormatRow is the reverse of ParseRow.
func FormatRow(ts []types.Type, row types.Row) string {
	var f types.Format
	spans := row.Spans(len(ts), nil)
	fields := make([]string, len(ts))
	for i, s := range spans {
		fields[i] = "NULL"
		if s.Len >= 0 {
			fields[i] = string(f.AppendText(nil, ts[i].OID, row[s.Off:s.Off+s.Len]))
		}
	}
	return "(" + strings.Join(fields, ", ") + ")"
}

// FormatBatch prints a batch, an entry a line: + (row), -2 (row).
func FormatBatch(ts []types.Type, b *zset.Batch) string {
	var out strings.Builder
	for i := range b.Len() {
		sign := ""
		switch w := b.Weight(i); {
		case w == 1:
			sign = "+"
		case w == -1:
			sign = "-"
		default:
			sign = fmt.Sprintf("%+d", w)
		}
		fmt.Fprintf(&out, "%s %s\n", sign, FormatRow(ts, b.Row(i)))
	}
	return out.String()
}

// ParseWeight reads +, -, +2, -3.
func ParseWeight(s string) (int64, error) {
	switch s {
	case "+":
		return 1, nil
	case "-":
		return -1, nil
	}
	return strconv.ParseInt(s, 10, 64)
}
