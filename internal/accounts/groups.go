package accounts

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/djauthy/djauthy/internal/db"
)

// GroupID names a group.
type GroupID db.ID

// Group is a set of users with permissions in common, like Django's auth.Group.
type Group struct {
	ID   GroupID
	Name string
}

// Everybody is the group that all people are in. It has no row, and no group has its name.
const Everybody = "users"

// ErrGroupName reports a name that no group may have. Apps get the names of a person's
// groups in a list with commas between.
var ErrGroupName = errors.New("a group's name is 1 to 100 letters, digits, blanks and . _ : @ / + -, begins and ends with a letter or a digit, and is not " + Everybody)

var groupName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9 ._:@/+-]{0,98}[A-Za-z0-9])?$`)

// ErrGroupTaken reports that there is a group of that name.
var ErrGroupTaken = errors.New("there is a group of that name")

func (g *Group) scan(scan db.Scan) error { return scan(&g.ID, &g.Name) }

// AddGroup makes a group. It returns ErrGroupName or ErrGroupTaken.
func AddGroup(tx *db.Tx, name string) (Group, error) {
	if !groupName.MatchString(name) || strings.EqualFold(name, Everybody) {
		return Group{}, ErrGroupName
	}
	g := Group{GroupID(tx.NewID()), name}
	n, err := tx.Exec(`INSERT INTO groups (id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING`, g.ID, g.Name)
	if err == nil && n == 0 {
		err = ErrGroupTaken
	}
	return g, err
}

// FindGroup returns a group by its name, whatever its case, or db.ErrNotFound.
func FindGroup(tx *db.Tx, name string) (g Group, err error) {
	err = g.scan(tx.Get(`SELECT id, name FROM groups WHERE lower(name) = lower($1)`, name).Scan)
	return g, err
}

// DeleteGroup removes a group with its memberships and permissions.
func DeleteGroup(tx *db.Tx, id GroupID) error {
	_, err := tx.Exec(`DELETE FROM groups WHERE id = $1`, id)
	return err
}

// CountedGroup is a group with how many members it has.
type CountedGroup struct {
	Group
	Members int64
}

// Groups returns up to limit groups whose name, in lower case, is above after, by name.
func Groups(tx *db.Tx, after string, limit int) ([]CountedGroup, error) {
	return db.All(tx, func(g *CountedGroup, scan db.Scan) error {
		return scan(&g.ID, &g.Name, &g.Members)
	}, `SELECT g.id, g.name, (SELECT count(*) FROM group_members m WHERE m.group_id = g.id) FROM groups g
		WHERE lower(g.name) > lower($1) ORDER BY lower(g.name) LIMIT $2`, after, limit)
}

// Join makes a user a member of a group. It reports false for somebody who is one.
func Join(tx *db.Tx, group GroupID, user UserID) (joined bool, err error) {
	n, err := tx.Exec(`INSERT INTO group_members (group_id, user_id) VALUES ($1, $2) ON CONFLICT (group_id, user_id) DO NOTHING`, group, user)
	return n == 1, err
}

// Leave ends a membership. It reports false for somebody who is no member.
func Leave(tx *db.Tx, group GroupID, user UserID) (left bool, err error) {
	n, err := tx.Exec(`DELETE FROM group_members WHERE group_id = $1 AND user_id = $2`, group, user)
	return n == 1, err
}

// Members returns up to limit members of a group whose id is above after, in the order in
// which they were made.
func Members(tx *db.Tx, group GroupID, after UserID, limit int) ([]User, error) {
	return db.All(tx, (*User).scan, `SELECT `+userColumns+` FROM group_members m JOIN users u ON u.id = m.user_id
		WHERE m.group_id = $1 AND u.id > $2 ORDER BY u.id LIMIT $3`, group, after, limit)
}

// GroupsOf returns the names of a user's groups, by name. They are kept: nobody may change them.
func GroupsOf(tx *db.Tx, user UserID) ([]string, error) {
	return db.Keep(tx, db.Key{What: "groups", ID: db.ID(user)}, func() ([]string, error) {
		all, err := db.All(tx, db.One[string], `SELECT g.name FROM group_members m JOIN groups g ON g.id = m.group_id WHERE m.user_id = $1 ORDER BY lower(g.name)`, user)
		return slices.Clip(all), err
	})
}
