package scaffold

import (
	"slices"
	"strings"
	"unicode"

	"bellcrank.example/sdk"
)

// role says which members can be one part of an event: what they are called,
// best first, without anything but letters and digits, and what their value
// has to look like.
type role struct {
	name  string
	names []string
	fits  func(*Member) bool
	whole bool // a name's last word says nothing: an event_id is no id of a problem
}

func words(s string) []string { return strings.Fields(s) }

// The roles. Ids of events, messages and deliveries are missing from keys on
// purpose: the end of a problem has another one than its beginning.
var (
	stateWord = role{name: "action", names: words(`status state alertstatus alertstate currentstate currentstatus newstate newstatus
		transition alerttransition eventaction action eventtype event type kind severity level`),
		fits: func(m *Member) bool { return sdk.ActionOf(m.Sample) != "" && !m.isBool() }}
	stateName = role{name: "action", names: words(`status state alertstatus alertstate currentstate currentstatus newstate newstatus
		transition alerttransition eventaction action eventtype event monitorcondition`), fits: isWord, whole: true}
	over = role{name: "action", names: words(`resolved isresolved recovered isrecovered closed isclosed cleared fixed ok isok healthy
		ishealthy up isup`), fits: (*Member).isBool}
	lasting = role{name: "action", names: words(`firing isfiring active isactive open isopen triggered alerting down isdown failing
		failed problem`), fits: (*Member).isBool}
	severity = role{name: "severity", names: words(`severity alertseverity priority level alertlevel urgency criticality sev
		importance impact`), fits: func(m *Member) bool { return isWord(m) && !m.isBool() }}
	ended = role{name: "ended at", names: words(`endsat endedat endtime resolvedat recoveredat closedat clearedat endtimestamp
		enddate resolvedtime recoverytime`), fits: func(m *Member) bool {
		return m.value == nil || m.scalar() && (isTime(m) || m.Sample == "" || m.Sample == "0" || strings.HasPrefix(m.Sample, "0001-"))
	}}
	occurred = role{name: "occurred at", names: words(`startsat startedat occurredat triggeredat firedat openedat activatedat
		detectedat starttime starttimestamp eventtime alerttime timestamp datetime createdat createdtime date time ts
		sentat updatedat at`), fits: isTime}
	source = role{name: "source url", names: words(`alerturl incidenturl problemurl issueurl eventurl sourceurl htmlurl permalink
		weburl monitorurl checkurl generatorurl url link href self dashboardurl detailsurl panelurl`), fits: isURL}
	key = role{name: "key", names: words(`dedupkey deduplicationkey fingerprint alias incidentkey alertkey problemkey problemid
		incidentid alertid alertuid issueid faultid caseid ticketid monitorid checkid ruleid triggerid uid uuid guid id key hash
		reference ref`), fits: func(m *Member) bool { return m.scalar() && !m.isBool() && m.Sample != "" && !isURL(m) }, whole: true}
	// anyID is for what only this vendor calls so: a beacon_id.
	anyID = role{name: "key", names: words(`id uid uuid`), fits: func(m *Member) bool {
		return m.scalar() && !m.isBool() && m.Sample != "" && !slices.Contains(otherIDs, strings.ToLower(camels(m.Path[len(m.Path)-1])[0]))
	}}
	title = role{name: "title", names: words(`title summary headline subject alerttitle incidenttitle problemtitle alertname
		problemname incidentname shortdescription monitorname checkname alertrule rulename servicedescription displayname name alert rule problem
		message msg text description output reason event`), fits: isText}
	description = role{name: "description", names: words(`description longdescription details detail body message msg text output
		longoutput reason cause errormessage error info content comment summary note`), fits: isText}
	service = role{name: "service", names: words(`service servicename serviceid application applicationname app component
		componentname system project projectname projectslug host hostname instance node server device resource
		resourcename entity entityname site monitor monitorname check checkname target cluster`), fits: isText}
	labels = role{name: "labels", names: words(`labels tags alltags alerttags dimensions customdetails customfields`), fits: isLabels}
	// named and located are what a key is made of where there is none.
	named = role{name: "key", names: words(`alertname rulename alertrule monitorname checkname servicedescription problemname name rule check monitor alert
		condition metric title summary subject message`), fits: isText}
	located = role{name: "key", names: words(`host hostname instance node server device resource resourcename entity service
		servicename application app component target cluster region environment`), fits: isText}
)

// otherIDs begin the names of ids that don't tell problems apart, or that the
// end of a problem has another of.
var otherIDs = words(`event message delivery notification request trace span account org organization organisation user
	team tenant customer project service host environment group client webhook`)

// isWord is for what has one of a few values.
func isWord(m *Member) bool { return m.scalar() && m.Sample != "" && len(m.Sample) <= 40 && !isURL(m) }

func isText(m *Member) bool {
	_, ok := m.value.(string)
	return ok && strings.ContainsFunc(m.Sample, unicode.IsLetter) && !isURL(m) && !isTime(m)
}

func isURL(m *Member) bool { return sdk.AbsoluteURL(m.Sample) != "" }

// isTime is for times of this century: any number would be one of the last.
func isTime(m *Member) bool { return m.scalar() && sdk.ParseTime(m.Sample).Year() >= 2000 }

// isLabels is for what sdk.Labels reads without losing a part of it.
func isLabels(m *Member) bool {
	switch v := m.value.(type) {
	case map[string]any:
		for _, inner := range v {
			if textOf(inner) == "" && inner != "" && inner != nil {
				return false
			}
		}
		return len(v) > 0
	case []any:
		return len(labelsOf(v)) > 0 && len(labelsOf(v)) >= len(v)-1
	case string:
		return strings.Contains(v, ",") || strings.ContainsAny(v, ":=")
	}
	return false
}

// pick returns the member that suits a role best: by its name, then one of the
// list's element, then the least deep.
func (r role) pick(from []*Member, taken map[*Member]bool) *Member {
	var fitting []*Member
	for _, m := range from {
		if m.rank(r) >= 0 && !taken[m] && r.fits(m) {
			fitting = append(fitting, m)
		}
	}
	if len(fitting) == 0 {
		return nil
	}
	slices.SortStableFunc(fitting, func(a, b *Member) int {
		if a.Element != b.Element && a.Element {
			return -1
		}
		if a.Element != b.Element {
			return 1
		}
		if d := a.rank(r) - b.rank(r); d != 0 {
			return d
		}
		return len(a.Path) - len(b.Path)
	})
	best := fitting[0]
	taken[best], best.Role = true, r.name
	return best
}
