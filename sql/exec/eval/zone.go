package eval

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// zones caches the time zones that were loaded by name.
var zones sync.Map // name → *time.Location

// loadZone finds a time zone by the name or abbreviation of SQL's AT TIME ZONE.
func loadZone(name []byte) (*time.Location, error) {
	if z, ok := zones.Load(string(name)); ok {
		return z.(*time.Location), nil
	}
	if strings.EqualFold(string(name), "msk") { // its offset has changed, and not as its zone's did
		return nil, pgerr.Unsupported(0, "time zone abbreviation \"%s\"", name)
	}
	z := findZone(string(name))
	if z == nil {
		return nil, pgerr.Newf(pgerr.InvalidParameterValue, "time zone \"%s\" not recognized", name)
	}
	zones.Store(string(name), z)
	return z, nil
}

// findZone finds an abbreviation, an offset or a zone of the time zone
// database; nil if there is none.
func findZone(name string) *time.Location {
	if z, ok := types.ZoneAbbreviation(name); ok {
		return z
	}
	if z := offsetZone(name); z != nil {
		return z
	}
	if z, ok := types.LoadZone(name); ok {
		return z
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
