package types

import (
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // zones must not depend on the machine
)

// zoneOffsets lists time zone abbreviations by their seconds east of UTC, as
// timezone_abbreviations = Default has them.
var zoneOffsets = map[int]string{
	-36000: "hst taht",
	-34200: "mart",
	-32400: "akst gamt",
	-28800: "akdt pst",
	-25200: "mst pdt",
	-21600: "cst galt mdt",
	-18000: "act cdt cot est pet",
	-14400: "amt ast bot edt",
	-12600: "nft nst",
	-10800: "adt bra brt clst gft pmst pyst uyt wgt",
	-9000:  "ndt",
	-7200:  "brst fnt pmdt uyst wgst",
	-3600:  "azot egt fnst",
	0:      "azost egst gmt uct ut utc wet z zulu",
	3600:   "bst cet met mez wat wetdst",
	7200:   "bdst cest cetdst eet ist mest mesz metdst sast",
	10800:  "eat eest eetdst fet idt",
	12600:  "irt",
	14400:  "msd mut ret sct",
	16200:  "aft",
	18000:  "must mvt pkt tft tjt uzt",
	20700:  "npt",
	21600:  "almt bdt btt kgst pkst uzst xjt yekst",
	23400:  "mmt",
	25200:  "almst cxt ict wast",
	28800:  "awst bnt bort cct hkt myt pht wadt",
	31500:  "acwst",
	32400:  "awsst jayt jst kst pwt ulast wdt",
	34200:  "acst cast",
	36000:  "aest chut ddut kdt ligt mpt pgt trut yapt",
	37800:  "acdt acsst cadt lhst sadt",
	39600:  "aedt aesst pont vut",
	43200:  "fjt gilt mht nzst nzt tvt wakt wft",
	45900:  "chast",
	46800:  "fjst nzdt tot",
	49500:  "chadt",
}

// zoneAliases lists abbreviations that mean what a zone's clocks showed.
var zoneAliases = map[string]string{
	"America/Argentina/Buenos_Aires": "arst art",
	"America/Asuncion":               "pyt",
	"America/Caracas":                "vet",
	"America/Guyana":                 "gyt",
	"America/Santiago":               "clt",
	"Antarctica/Davis":               "davt",
	"Antarctica/Mawson":              "mawt",
	"Asia/Anadyr":                    "anast anat",
	"Asia/Ashgabat":                  "tmt",
	"Asia/Baku":                      "azst azt",
	"Asia/Bishkek":                   "kgt",
	"Asia/Colombo":                   "lkt",
	"Asia/Irkutsk":                   "irkst irkt",
	"Asia/Kamchatka":                 "petst pett",
	"Asia/Krasnoyarsk":               "krast krat",
	"Asia/Magadan":                   "magst magt",
	"Asia/Novosibirsk":               "novst novt",
	"Asia/Omsk":                      "omsst omst",
	"Asia/Singapore":                 "sgt",
	"Asia/Tbilisi":                   "gest get",
	"Asia/Ulaanbaatar":               "ulat",
	"Asia/Vladivostok":               "vlast vlat",
	"Asia/Yakutsk":                   "yakst yakt",
	"Asia/Yekaterinburg":             "yekt",
	"Asia/Yerevan":                   "amst",
	"Atlantic/Stanley":               "fkst fkt",
	"Australia/Lord_Howe":            "lhdt",
	"Europe/Moscow":                  "msk",
	"Europe/Volgograd":               "volt",
	"Indian/Chagos":                  "iot",
	"Pacific/Easter":                 "easst east",
	"Pacific/Fakaofo":                "tkt",
	"Pacific/Kiritimati":             "lint",
	"Pacific/Kosrae":                 "kost",
	"Pacific/Niue":                   "nut",
	"Pacific/Rarotonga":              "ckt",
}

// zoneSpellings are zone names that neither title nor upper case gives.
var zoneSpellings = []string{
	"Mexico/BajaNorte", "Mexico/BajaSur", "Brazil/DeNoronha", "Europe/Isle_of_Man", "Chile/EasterIsland",
	"Antarctica/McMurdo", "Antarctica/DumontDUrville", "GB-Eire", "America/Port_of_Spain", "America/Port-au-Prince",
	"America/Argentina/ComodRivadavia", "America/Knox_IN", "Africa/Dar_es_Salaam", "Australia/LHI", "Australia/NSW",
	"Australia/ACT", "Asia/Ust-Nera",
}

// zoneAbbrevs maps a lower-case abbreviation to its zone.
var zoneAbbrevs = sync.OnceValue(func() map[string]*time.Location {
	m := make(map[string]*time.Location)
	for east, names := range zoneOffsets {
		for _, name := range strings.Fields(names) {
			m[name] = time.FixedZone(strings.ToUpper(name), east)
		}
	}
	for zone, names := range zoneAliases {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			panic("time zones: " + err.Error())
		}
		for _, name := range strings.Fields(names) {
			m[name] = loc
		}
	}
	return m
})

var zoneCache struct {
	sync.RWMutex
	zones map[string]*time.Location // by lower-case name
}

// LoadZone finds a zone of the IANA database by name, ignoring case.
func LoadZone(name string) (*time.Location, bool) {
	name = strings.ToLower(name)
	zoneCache.RLock()
	loc := zoneCache.zones[name]
	zoneCache.RUnlock()
	if loc != nil {
		return loc, true
	}
	loc = loadZone(name)
	if loc == nil {
		return nil, false
	}
	zoneCache.Lock()
	defer zoneCache.Unlock()
	if zoneCache.zones == nil {
		zoneCache.zones = make(map[string]*time.Location)
	}
	zoneCache.zones[name] = loc
	return loc, true
}

// fixedZone reports whether a zone has had one offset at all times.
func fixedZone(loc *time.Location) bool {
	start, end := time.Unix(0, 0).In(loc).ZoneBounds()
	return start.IsZero() && end.IsZero()
}

// posixZone reads a name and hours west of UTC, as in utc+3 or xyz-5:30.
func posixZone(name string) *time.Location {
	n := 0
	for n < len(name) && isAlpha(name[n]) {
		n++
	}
	if n < 3 || n == len(name) {
		return nil
	}
	offset := name[n:]
	if isDigit(offset[0]) {
		offset = "+" + offset
	}
	hours, _, _ := strings.Cut(offset, ":")
	if offset[0] != '+' && offset[0] != '-' || len(hours) > 3 {
		return nil
	}
	east, e := parseZoneOffset([]byte(offset))
	if e != fieldOK {
		return nil
	}
	return time.FixedZone(strings.ToUpper(name[:n]), -east)
}

func loadZone(name string) *time.Location {
	if name == "" || name == "local" || name == "utc" {
		if name == "utc" {
			return time.UTC
		}
		return nil
	}
	spellings := []string{titleZone(name), strings.ToUpper(name)}
	if region, rest, ok := strings.Cut(name, "/"); ok {
		switch region {
		case "us":
			spellings = []string{"US/" + titleZone(rest)}
		case "etc":
			spellings = append(spellings, "Etc/"+strings.ToUpper(rest))
		}
	}
	for _, s := range zoneSpellings {
		if strings.EqualFold(s, name) {
			spellings = append(spellings, s)
		}
	}
	for _, s := range spellings {
		if loc, err := time.LoadLocation(s); err == nil {
			return loc
		}
	}
	return posixZone(name)
}

// titleZone gives each word of a zone's name its capital.
func titleZone(name string) string {
	b := []byte(name)
	for i := range b {
		if i == 0 || b[i-1] == '/' || b[i-1] == '_' || b[i-1] == '-' {
			if b[i]-'a' < 26 {
				b[i] -= 'a' - 'A'
			}
		}
	}
	return string(b)
}

// ZoneAbbreviation finds one of PostgreSQL's default abbreviations, ignoring case.
func ZoneAbbreviation(name string) (*time.Location, bool) {
	loc, ok := zoneAbbrevs()[strings.ToLower(name)]
	return loc, ok
}

// ZoneOf finds a zone by abbreviation, by IANA name, or from an offset such as
// +02 or -07:30, which is east of UTC.
func ZoneOf(name string) (*time.Location, bool) {
	if loc, ok := ZoneAbbreviation(name); ok {
		return loc, true
	}
	if name != "" && (name[0] == '+' || name[0] == '-') {
		east, err := parseZoneOffset([]byte(name))
		if err != fieldOK {
			return nil, false
		}
		return time.FixedZone(name, east), true
	}
	return LoadZone(name)
}
