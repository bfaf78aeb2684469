package config

import (
	"regexp"
	"slices"
)

// unbuilt lists keys that belong to djauthy's settings, but to parts which this version
// does not have. They are refused: who sets jabber.jid must not believe that Jabber works.
// A key moves from here to settings when its part is built.
func unbuilt() []string {
	return []string{
		"oauth.registration", "oauth.client_id_documents", "oauth.code", "oauth.access_token", "oauth.refresh_token", "oauth.device_code",
	}
}

// isUnbuilt reports whether an unknown key of the document is one of a part that this
// version does not have.
func isUnbuilt(key string) bool {
	return slices.Contains(unbuilt(), entryNumber.ReplaceAllString(key, ""))
}

// tableNumber is the number of a table in a name of the environment: DJAUTHY_HOOK_0_URL.
var tableNumber = regexp.MustCompile(`_[0-9]+_`)

// unbuiltVariable is the key that a name of the environment, or its NAME_FILE, would set
// if this version had its part, or "". Only whole names count: an orchestrator may set
// DJAUTHY_JABBER_PORT for a service called djauthy-jabber.
func unbuiltVariable(name string) string {
	name = tableNumber.ReplaceAllString(name, "_")
	for _, key := range unbuilt() {
		if name == Variable(key) || name == Variable(key)+"_FILE" {
			return key
		}
	}
	return ""
}

func unbuiltError(key, source string) error {
	return &Error{Key: key, Hidden: true, Allowed: "this version of djauthy does not have this setting yet; remove it", Source: source}
}
