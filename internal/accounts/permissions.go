package accounts

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/djauthy/djauthy/internal/db"
)

// Sections of /admin, each with a permission to look and one to change.
var sections = []string{"people", "groups", "levels", "apps", "services", "messages", "log"}

// OwnPermissions lists the permissions of djauthy's own, which exist from the start: those
// of /admin, such as djauthy.people.view and djauthy.people.change. Staff is whoever holds
// one of them.
func OwnPermissions() (all []string) {
	for _, s := range sections {
		all = append(all, "djauthy."+s+".change", "djauthy."+s+".view")
	}
	slices.Sort(all)
	return all
}

// Errors of permissions.
var (
	ErrPermissionName  = errors.New("a permission's name is 1 to 100 small letters, digits and . _ : -, and begins with a letter or a digit")
	ErrPermissionTaken = errors.New("there is a permission of that name")
	ErrOwnPermission   = errors.New("the permissions of djauthy's own stay")
)

var permissionName = regexp.MustCompile(`^[a-z0-9][a-z0-9._:-]{0,99}$`)

// AddPermission makes a permission. It returns ErrPermissionName or ErrPermissionTaken.
func AddPermission(tx *db.Tx, name string) error {
	if !permissionName.MatchString(name) {
		return ErrPermissionName
	}
	if slices.Contains(OwnPermissions(), name) {
		return ErrPermissionTaken
	}
	n, err := tx.Exec(`INSERT INTO permissions (name) VALUES ($1) ON CONFLICT DO NOTHING`, name)
	if err == nil && n == 0 {
		err = ErrPermissionTaken
	}
	return err
}

// DeletePermission removes a permission from everybody. It returns ErrOwnPermission or
// db.ErrNotFound.
func DeletePermission(tx *db.Tx, name string) error {
	if slices.Contains(OwnPermissions(), name) {
		return ErrOwnPermission
	}
	n, err := tx.Exec(`DELETE FROM permissions WHERE name = $1`, name)
	if err == nil && n == 0 {
		err = db.ErrNotFound
	}
	return err
}

// PermissionExists reports whether there is a permission of the name.
func PermissionExists(tx *db.Tx, name string) (bool, error) {
	if slices.Contains(OwnPermissions(), name) {
		return true, nil
	}
	var one int
	err := tx.Get(`SELECT 1 FROM permissions WHERE name = $1`, name).Scan(&one)
	if errors.Is(err, db.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// GrantedPermission is a permission with how many groups and users were granted it.
type GrantedPermission struct {
	Name          string
	Groups, Users int64
}

// Permissions returns all permissions by name.
func Permissions(tx *db.Tx) ([]GrantedPermission, error) {
	all, err := db.All(tx, func(p *GrantedPermission, scan db.Scan) error {
		return scan(&p.Name, &p.Groups, &p.Users)
	}, `SELECT p.name, (SELECT count(*) FROM group_permissions g WHERE g.permission = p.name), (SELECT count(*) FROM user_permissions u WHERE u.permission = p.name) FROM permissions p`)
	if err != nil {
		return nil, err
	}
	for _, name := range OwnPermissions() {
		if !slices.ContainsFunc(all, func(p GrantedPermission) bool { return p.Name == name }) {
			all = append(all, GrantedPermission{Name: name})
		}
	}
	slices.SortFunc(all, func(a, b GrantedPermission) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// GrantToGroup grants a permission to all members of a group. It reports false if they have
// it by the group.
func GrantToGroup(tx *db.Tx, name string, group GroupID) (granted bool, err error) {
	if err := ownRow(tx, name); err != nil {
		return false, err
	}
	n, err := tx.Exec(`INSERT INTO group_permissions (permission, group_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, name, group)
	return n == 1, err
}

// GrantToUser grants a permission to a user. It reports false if they have it by themselves.
func GrantToUser(tx *db.Tx, name string, user UserID) (granted bool, err error) {
	if err := ownRow(tx, name); err != nil {
		return false, err
	}
	n, err := tx.Exec(`INSERT INTO user_permissions (permission, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, name, user)
	return n == 1, err
}

// ownRow gives a permission of djauthy's own its row, which grants refer to.
func ownRow(tx *db.Tx, name string) error {
	if !slices.Contains(OwnPermissions(), name) {
		return nil
	}
	_, err := tx.Exec(`INSERT INTO permissions (name) VALUES ($1) ON CONFLICT DO NOTHING`, name)
	return err
}

// RevokeFromGroup takes a permission from a group. It reports false if it had none.
func RevokeFromGroup(tx *db.Tx, name string, group GroupID) (revoked bool, err error) {
	n, err := tx.Exec(`DELETE FROM group_permissions WHERE permission = $1 AND group_id = $2`, name, group)
	return n == 1, err
}

// RevokeFromUser takes a permission from a user, who may still have it by a group. It
// reports false if there was nothing to take.
func RevokeFromUser(tx *db.Tx, name string, user UserID) (revoked bool, err error) {
	n, err := tx.Exec(`DELETE FROM user_permissions WHERE permission = $1 AND user_id = $2`, name, user)
	return n == 1, err
}

// PermissionsOf returns the permissions that a user was granted, by themselves or by a
// group, by name. A superuser has all others as well.
func PermissionsOf(tx *db.Tx, user UserID) ([]string, error) {
	return db.All(tx, db.One[string], `SELECT permission FROM user_permissions WHERE user_id = $1
		UNION SELECT p.permission FROM group_permissions p JOIN group_members m ON m.group_id = p.group_id WHERE m.user_id = $1 ORDER BY 1`, user)
}

// Has reports whether a user has a permission: an active one who was granted it or is a
// superuser. The permission exists.
func (u User) Has(tx *db.Tx, permission string) (bool, error) {
	if !u.Active {
		return false, nil
	}
	if u.Superuser {
		return true, nil
	}
	var one int
	err := tx.Get(`SELECT 1 FROM user_permissions WHERE user_id = $1 AND permission = $2
		UNION ALL SELECT 1 FROM group_permissions p JOIN group_members m ON m.group_id = p.group_id WHERE m.user_id = $1 AND p.permission = $2 LIMIT 1`, u.ID, permission).Scan(&one)
	if errors.Is(err, db.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Staff reports whether a user holds one of djauthy's own permissions, or is a superuser.
func (u User) Staff(tx *db.Tx) (bool, error) {
	if u.Superuser || !u.Active {
		return u.Superuser && u.Active, nil
	}
	granted, err := PermissionsOf(tx, u.ID)
	return slices.ContainsFunc(granted, func(name string) bool { return slices.Contains(OwnPermissions(), name) }), err
}
