from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orca import errors
from orca.spec.load import Loaded, load

Configure = Callable[..., Loaded]


def brief(loaded: Loaded) -> list[str]:
    return [found.render().split("\n")[0] for found in loaded.problems]


def test_configuration_of_the_guide_loads_unchanged(breakpilot: Path) -> None:
    loaded = load(breakpilot).require()
    assert loaded.cluster.name == "breakpilot"
    db, keycloak = loaded.services
    assert (db.ref, keycloak.ref) == ("keycloak/keycloak-db", "keycloak/keycloak")
    assert db.env["POSTGRES_DB"] == "keycloak"
    assert db.volumes[0].source == "keycloak-db-data"
    assert keycloak.domains == ("auth.meghsakha.com",)
    assert keycloak.dependencies == ("keycloak/keycloak-db",)
    assert keycloak.env["KC_DB_PASSWORD"] == "${secrets.KEYCLOAK_DB_PASSWORD}"
    assert keycloak.liveness is not None
    assert keycloak.liveness.kind == "http"
    assert keycloak.liveness.initial_delay_secs == 120
    (mount,) = keycloak.mounts
    assert Path(mount.source) == breakpilot / "services/keycloak/config/certifai-theme"
    assert mount.read_only
    assert not loaded.warnings


def test_later_features_of_the_guide_are_named_with_their_place(breakpilot: Path) -> None:
    assert [found.render().split("\n")[0] for found in load(breakpilot).unsupported] == [
        "cluster.toml:5:2: acme: not supported yet",
        "cluster.toml:14:1: backup.enabled = true: not supported yet",
    ]


def test_problem_shows_the_line_and_what_is_wrong_in_it(configure: Configure) -> None:
    loaded = configure(
        keycloak='[[service]]\nname = "db"\nimage = "pg"\n\n'
        '[[service]]\nname = "keycloak"\nimage = "kc"\n  liveless = 3\n'
    )
    assert loaded.problems[0].render() == (
        'services/keycloak/service.toml:8:3: service[1] "keycloak": unknown key "liveless"; '
        'did you mean "liveness"?\n'
        "    8 |   liveless = 3\n"
        "      |   ^^^^^^^^"
    )


def test_every_problem_of_every_file_is_reported_at_once(configure: Configure) -> None:
    loaded = configure(
        cluster='[cluster]\nnam = "x"\napi_port = 0\n',
        web='[[service]]\nname = "web"\nimage = "w"\nport = 0\n\n[service.resources]\nmemory = "512MB"\n',
        api='[[service]]\nname = "api"\nimage = "a"\ndepends_on = ["dbb"]\n[[service]]\nname = "db"\n',
        broken="[[service]]\nname = \n",
    )
    assert [line.split(": ")[0] for line in brief(loaded)] == [
        "cluster.toml:2:1",
        "cluster.toml:3:12",
        "services/api/service.toml:4:15",
        "services/api/service.toml:5:1",
        "services/broken/service.toml:2:8",
        "services/web/service.toml:4:8",
        "services/web/service.toml:7:10",
    ]
    with pytest.raises(errors.InvalidConfig) as caught:
        loaded.require()
    assert len(caught.value.problems) == 7
    assert not any("\n\n" in problem for problem in caught.value.problems)


def test_missing_cluster_file_means_defaults(configure: Configure) -> None:
    loaded = configure(web='[[service]]\nname = "web"\nimage = "w"\n')
    assert loaded.cluster.api_port == 6880
    assert (loaded.problems, loaded.warnings) == ((), ())


def test_broken_cluster_file_is_never_defaults(configure: Configure) -> None:
    loaded = configure(cluster="[cluster\n")
    assert brief(loaded)[0].startswith("cluster.toml:1:9: not valid TOML: ")


def test_empty_root_is_pointed_out(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert "neither cluster.toml nor services/" in loaded.warnings[0].render()
    assert loaded.require() is loaded


def test_loading_does_not_depend_on_the_current_directory(
    breakpilot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load(breakpilot)
    monkeypatch.chdir(breakpilot.parent)
    assert load(Path(breakpilot.name)) == before
    monkeypatch.chdir(tmp_path)
    assert load(breakpilot) == before


def test_table_after_the_second_service_belongs_to_it(configure: Configure) -> None:
    loaded = configure(
        p='[[service]]\nname = "a"\nimage = "a"\n[[service]]\nname = "b"\nimage = "b"\n'
        '[service.env]\nX = "1"\n'
    )
    assert [spec.env for spec in loaded.services] == [{}, {"X": "1"}]


def test_key_under_the_env_header_by_mistake_is_warned_about(configure: Configure) -> None:
    loaded = configure(
        p='[[service]]\nname = "a"\nimage = "a"\n[service.env]\nX = "1"\nport = 80\n'
    )
    (warning,) = loaded.warnings
    assert (warning.line, warning.severity) == (6, "warning")
    assert "stands under [service.env]" in warning.message


def test_single_brackets_are_explained(configure: Configure) -> None:
    (problem,) = configure(p='[service]\nname = "a"\n').problems
    assert "two brackets" in problem.hint


def test_project_is_the_directory(configure: Configure) -> None:
    loaded = configure(
        one='[[service]]\nname = "a"\nimage = "a"\nproject = "one"\n',
        two='[[service]]\nname = "a"\nimage = "a"\nproject = "one"\n',
    )
    assert [spec.ref for spec in loaded.services] == ["one/a"]
    (problem,) = loaded.problems
    assert (problem.file, problem.line, problem.column) == ("services/two/service.toml", 4, 11)


def test_bad_name_of_a_project_is_refused(configure: Configure) -> None:
    (problem,) = configure(My_App='[[service]]\nname = "a"\nimage = "a"\n').problems
    assert problem.render().startswith(
        'services/My_App: not a name for a project: "My_App"\n  hint: '
    )


def test_service_twice_in_a_project_is_refused(configure: Configure) -> None:
    one = '[[service]]\nname = "a"\nimage = "a"\n'
    (problem,) = configure(p=one + one, q=one).problems
    assert (problem.line, problem.column) == (5, 8)


def test_circle_is_named_where_it_is_closed(configure: Configure) -> None:
    def service(name: str, *depends_on: str) -> str:
        return f'[[service]]\nname = "{name}"\nimage = "x"\ndepends_on = {list(depends_on)}\n'

    loaded = configure(p=service("a", "b") + service("b", "c") + service("c", "b"))
    assert brief(loaded) == [
        'services/p/service.toml:8:15: service[1] "b": depends_on[0]: '
        "services depend on each other in a circle: b → c → b"
    ]


def test_faulty_service_still_counts_as_existing(configure: Configure) -> None:
    loaded = configure(
        p='[[service]]\nname = "a"\nimage = "a"\ndepends_on = ["b", "q/x"]\n'
        '[[service]]\nname = "b"\nport = 0\nimage = "b"\ndepends_on = ["nobody"]\n',
        q="[[service]\n",
    )
    assert [(found.file, found.line) for found in loaded.problems] == [
        ("services/p/service.toml", 7),
        ("services/p/service.toml", 9),
        ("services/q/service.toml", 1),
    ]
    assert [spec.name for spec in loaded.services] == ["a"]


def test_old_spellings_are_pointed_at_as_written(configure: Configure) -> None:
    loaded = configure(
        p='[[service]]\nname = "a"\nimage = "a"\nport = 1\ndomain = "a b"\nhealth = "x"\n'
        'volume = { path = "data", size = "1GB" }\n'
        '[[service]]\nname = "b"\nimage = "b"\ndomains = ["ok.de", "a b"]\nport = 1\n'
    )
    assert [line.split(": ")[0:3:2] for line in brief(loaded)] == [
        ["services/p/service.toml:5:10", "domain"],
        ["services/p/service.toml:6:10", "health"],
        ["services/p/service.toml:7:19", "volume.path"],
        ["services/p/service.toml:7:34", "volume.size"],
        ["services/p/service.toml:11:21", "domains[1]"],
    ]


# --- paths ----------------------------------------------------------------------------------------

MOUNT = '[[service]]\nname = "a"\nimage = "a"\nmounts = ["{source}:/x"]\n'


@pytest.mark.parametrize(
    ("source", "resolved"),
    [
        ("./config", "services/p/config"),
        ("config", "services/p/config"),
        ("../q/config", "services/q/config"),
        ("./services/q/config", "services/q/config"),
    ],
)
def test_mount_is_relative_to_its_file_or_to_the_root(
    configure: Configure, tmp_path: Path, source: str, resolved: str
) -> None:
    for project in ("p", "q"):
        (tmp_path / "services" / project / "config").mkdir(parents=True)
    (spec,) = configure(p=MOUNT.format(source=source)).require().services
    assert spec.mounts[0].source == str(tmp_path / resolved)


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("./missing", ""),
        ("data", "[[service.volumes]]"),
        ("services/p", 'write "./services/p"'),
    ],
)
def test_mount_that_is_not_there_is_refused(configure: Configure, source: str, hint: str) -> None:
    (problem,) = configure(p=MOUNT.format(source=source)).problems
    assert (problem.line, problem.column) == (4, 11)
    assert "there is no file or directory" in problem.message
    assert hint in problem.hint


def test_absolute_and_secret_mounts_are_left_to_the_node(configure: Configure) -> None:
    loaded = configure(
        p='[[service]]\nname = "a"\nimage = "a"\nmounts = ["/nowhere/x:/x", "${secrets.DIR}:/y"]\n'
    )
    assert [mount.source for mount in loaded.require().services[0].mounts] == [
        "/nowhere/x",
        "${secrets.DIR}",
    ]


def test_files_of_the_store_are_relative_to_the_root(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    text = '[store]\nendpoints = ["https://e:2379"]\nca_file = "ca.pem"\n'
    loaded = configure(cluster=text)
    assert loaded.require().cluster.store.ca_file == str(tmp_path / "ca.pem")
    (tmp_path / "ca.pem").unlink()
    (problem,) = load(tmp_path).problems
    assert (problem.line, problem.column) == (3, 11)


# --- what lies around -----------------------------------------------------------------------------


def test_directory_without_service_file_and_stray_file_are_warned_about(
    configure: Configure, tmp_path: Path
) -> None:
    (tmp_path / "services" / "empty").mkdir(parents=True)
    (tmp_path / "services" / ".git").mkdir()
    (tmp_path / "services" / "web.toml").touch()
    (tmp_path / "services" / "README.md").touch()
    loaded = configure(none="")
    assert [(found.file, found.hint) for found in loaded.warnings] == [
        ("services/empty", ""),
        ("services/none/service.toml", "write [[service]]"),
        ("services/web.toml", "move it to services/web/service.toml"),
    ]
    assert loaded.require().services == ()


def test_other_top_level_keys_are_refused(configure: Configure) -> None:
    loaded = configure(p='[[servise]]\nname = "a"\n\n[cluster]\nname = "x"\n')
    assert [line.split(": ", 1)[1] for line in brief(loaded)] == [
        'unknown key "servise"; did you mean "service"?',
        'unknown key "cluster"',
    ]


def test_file_that_is_not_utf8_names_the_place(tmp_path: Path) -> None:
    (tmp_path / "cluster.toml").write_bytes(b'[cluster]\nname = "\xff"\n')
    (problem,) = load(tmp_path).problems
    assert (problem.line, problem.column, problem.message) == (2, 9, "not UTF-8 text")


def test_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "cluster.toml").write_bytes(b'\xef\xbb\xbf[cluster]\nname = "x"\n')
    assert load(tmp_path).require().cluster.name == "x"


def test_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "cluster.toml").mkdir()
    os.symlink("nowhere", tmp_path / "dangling")
    (tmp_path / "services" / "p").mkdir(parents=True)
    os.symlink("nowhere", tmp_path / "services" / "p" / "service.toml")
    assert brief(load(tmp_path)) == [
        "cluster.toml: cannot be read: Is a directory",
        "services/p/service.toml: cannot be read: No such file or directory",
    ]


def test_line_that_holds_a_secret_is_not_shown(configure: Configure) -> None:
    loaded = configure(
        cluster='[[token]]\nname = "ci"\nrole = "admin"\nvalue = "hunter2"\n',
        p='[[service]]\nname = "a"\nimage = "a"\n[service.env]\nPASSWORD = ["hunter2"]\n',
    )
    text = "\n".join(found.render() for found in loaded.problems)
    assert len(loaded.problems) == 2
    assert "value = …" in text
    assert "PASSWORD = …" in text
    assert "hunter2" not in text


def test_caret_keeps_its_place_behind_tabs(configure: Configure) -> None:
    (problem,) = configure(p='[[service]]\nname = "a"\nimage = "a"\n\tport = 0\n').problems
    assert problem.render().split("\n")[1:] == ["    4 | \tport = 0", "      | \t       ^"]


def test_ports_of_orca_are_not_guessed_from_a_broken_cluster_file(configure: Configure) -> None:
    service = '[[service]]\nname = "a"\nimage = "a"\nextra_ports = ["80:80"]\n'
    assert len(configure(p=service).problems) == 1
    assert brief(configure(cluster="oops = 1\n"))[0].startswith("cluster.toml:1:1: unknown key")
    assert len(configure(cluster="oops = 1\n").problems) == 1
