package main

import (
	"fmt"

	"github.com/djauthy/djauthy/internal/multifactor"
)

// How many rules an installation has: few, and more than an administrator writes by hand.
const (
	fewRules  = 10
	manyRules = 1000
)

// rule is the factor level i of a bench. It guards a permission, a group and a site on a host of
// its own, and is met by a mailed code, which its last set asks for. Of permissions and groups
// there are so many as named says.
func rule(i, named int) multifactor.Level {
	return multifactor.Level{
		Name: ruleName(i), Rank: i % 100, Need: []multifactor.Need{{"email", multifactor.TOTP}, {multifactor.VerifiedPasskey}, {multifactor.AnyCode}},
		For: multifactor.Guards{Permissions: []string{permissionName(i % named)}, Groups: []string{groupName(i % named)}, Sites: []string{siteOrigin(i)}},
	}.Normal()
}

func ruleName(i int) string       { return fmt.Sprintf("rule-%04d", i) }
func permissionName(i int) string { return fmt.Sprintf("permission-%04d", i) }
func groupName(i int) string      { return fmt.Sprintf("group-%04d", i) }
func siteOrigin(i int) string     { return fmt.Sprintf("http://app-%04d.example", i) }
