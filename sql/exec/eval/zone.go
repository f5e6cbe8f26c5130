package eval

import (
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the zones must not depend on the machine

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// zones caches the time zones that were loaded by name.
var zones sync.Map // name → *time.Location

// loadZone finds a time zone by the name or abbreviation of SQL's AT TIME ZONE.
func loadZone(name []byte) (*time.Location, error) {
	if z, ok := zones.Load(string(name)); ok {
		return z.(*time.Location), nil
	}
	z := findZone(string(name))
	if z == nil {
		return nil, pgerr.Newf(pgerr.InvalidParameterValue, "time zone \"%s\" not recognized", name)
	}
	zones.Store(string(name), z)
	return z, nil
}

// findZone finds an abbreviation or a zone of the time zone database in any
// case of letters; nil if there is none.
func findZone(name string) *time.Location {
	upper := strings.ToUpper(name)
	if off, ok := abbreviations[upper]; ok {
		return time.FixedZone(upper, off)
	}
	if z := offsetZone(name); z != nil {
		return z
	}
	if name == "" || upper == "LOCAL" {
		return nil
	}
	for _, n := range []string{name, upper, capitalize(name)} {
		if z, err := time.LoadLocation(n); err == nil {
			return z
		}
	}
	return nil
}

// offsetZone reads [+-]h[:m[:s]] as POSIX does: positive is west. nil: it is something else.
func offsetZone(s string) *time.Location {
	sign := -1
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		s, sign = rest, 1
	} else {
		s = strings.TrimPrefix(s, "+")
	}
	secs, unit := 0, 3600
	for i, part := range strings.Split(s, ":") {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil || i > 2 || i > 0 && n > 59 {
			return nil
		}
		secs += int(n) * unit
		unit /= 60
	}
	return time.FixedZone("", sign*secs)
}

// capitalize writes a zone's name as the database does: America/New_York.
func capitalize(name string) string {
	b := []byte(strings.ToLower(name))
	start := true
	for i, c := range b {
		if start {
			b[i] = asciiUpper(c)
		}
		start = c == '/' || c == '_' || c == '-'
	}
	return string(b)
}

// abbreviations are PostgreSQL's default ones with a fixed offset, in seconds east of UTC.
var abbreviations = map[string]int{
	"ACDT":   37800,
	"ACST":   34200,
	"ADT":    -10800,
	"AEDT":   39600,
	"AEST":   36000,
	"AKDT":   -28800,
	"AKST":   -32400,
	"AST":    -14400,
	"AWST":   28800,
	"BRST":   -7200,
	"BRT":    -10800,
	"BST":    3600,
	"CADT":   37800,
	"CAST":   34200,
	"CDT":    -18000,
	"CEST":   7200,
	"CET":    3600,
	"CETDST": 7200,
	"CST":    -21600,
	"EAT":    10800,
	"EDT":    -14400,
	"EEST":   10800,
	"EET":    7200,
	"EETDST": 10800,
	"EST":    -18000,
	"FET":    10800,
	"GMT":    0,
	"HKT":    28800,
	"HST":    -36000,
	"IDT":    10800,
	"JST":    32400,
	"KST":    32400,
	"MDT":    -21600,
	"MEST":   7200,
	"MESZ":   7200,
	"MET":    3600,
	"METDST": 7200,
	"MEZ":    3600,
	"MSD":    14400,
	"MST":    -25200,
	"NDT":    -9000,
	"NST":    -12600,
	"NZDT":   46800,
	"NZST":   43200,
	"PDT":    -25200,
	"PHT":    28800,
	"PKT":    18000,
	"PST":    -28800,
	"SAST":   7200,
	"SGT":    28800,
	"UCT":    0,
	"UT":     0,
	"UTC":    0,
	"WADT":   28800,
	"WAST":   25200,
	"WET":    0,
	"WETDST": 3600,
	"Z":      0,
	"ZULU":   0,
}
