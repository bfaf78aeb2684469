-- Groups and permissions, as Django has them. A permission of djauthy's own has no row until
-- somebody is granted it.
CREATE TABLE groups (
    id   BIGINT PRIMARY KEY,
    name TEXT NOT NULL
);

-- Names of groups are unique without case.
CREATE UNIQUE INDEX groups_name ON groups (lower(name));

CREATE TABLE group_members (
    group_id BIGINT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    user_id  BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, user_id)
);

CREATE INDEX group_members_user ON group_members (user_id);

CREATE TABLE permissions (
    name TEXT PRIMARY KEY
);

CREATE TABLE group_permissions (
    permission TEXT NOT NULL REFERENCES permissions (name) ON DELETE CASCADE,
    group_id   BIGINT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    PRIMARY KEY (permission, group_id)
);

CREATE INDEX group_permissions_group ON group_permissions (group_id);

CREATE TABLE user_permissions (
    permission TEXT NOT NULL REFERENCES permissions (name) ON DELETE CASCADE,
    user_id    BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (permission, user_id)
);

CREATE INDEX user_permissions_user ON user_permissions (user_id);

-- Staff is whoever holds one of djauthy's own permissions, which is looked up.
ALTER TABLE users DROP COLUMN is_staff;
