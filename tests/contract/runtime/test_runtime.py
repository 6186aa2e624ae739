"""What every container engine promises the node: one suite for the fake and for Docker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from engines import CRASHER, HUNGRY, LABELS, STUBBORN, WRITER, Bench

from orca import errors
from orca.model.container import BindMount, PortMapping, PullPolicy, Resources
from orca.node.runtime import (
    LOG_LAG_SECONDS,
    ContainerEvent,
    ContainerState,
    ExecSpec,
    LogQuery,
    Output,
)
from orca.rpc.messages import Channel

NOWHERE = "0" * 64


async def collect(outputs: AsyncIterator[Output]) -> dict[Channel, str]:
    texts = dict.fromkeys((Channel.STDOUT, Channel.STDERR), "")
    async for output in outputs:
        texts[output.channel] += output.data.decode()
    return texts


# --- the engine ---


async def test_engine_says_what_it_is(bench: Bench) -> None:
    await bench.runtime.ping()
    facts = await bench.runtime.facts()
    assert facts.version
    assert facts.cpus >= 1
    assert facts.memory_bytes > 0
    assert not facts.live_restore


# --- images ---


async def test_image_that_no_registry_knows_is_used_as_it_is(bench: Bench) -> None:
    image = await bench.runtime.resolve_image("orca-test/sleeper:1", pull=PullPolicy.AUTO)
    assert image.startswith("sha256:")
    again = await bench.runtime.resolve_image(image, pull=PullPolicy.IF_MISSING)
    assert again == image


async def test_missing_image_is_not_pulled_against_its_policy(bench: Bench) -> None:
    with pytest.raises(errors.ImageError, match="`never`") as caught:
        await bench.runtime.resolve_image("orca-test/nothing:1", pull=PullPolicy.NEVER)
    assert caught.value.permanent
    assert caught.value.hint


async def test_unknown_image_id_cannot_be_pulled(bench: Bench) -> None:
    with pytest.raises(errors.ImageError, match="cannot be pulled") as caught:
        await bench.runtime.resolve_image(f"sha256:{NOWHERE}", pull=PullPolicy.AUTO)
    assert caught.value.permanent


async def test_container_of_a_missing_image_is_refused(bench: Bench) -> None:
    with pytest.raises(errors.ImageError):
        await bench.runtime.create(bench.request("orca-test/nothing:1"))


# --- a container's life ---


async def test_container_is_created_started_and_inspected(bench: Bench) -> None:
    container = await bench.runtime.create(bench.request())
    created = await bench.runtime.inspect(container)
    assert created is not None
    assert created.state is ContainerState.CREATED
    assert created.address == ""
    assert created.started_at == 0
    await bench.runtime.start(container)
    running = await bench.runtime.inspect(container)
    assert running is not None
    assert running.running
    assert running.address.startswith("10.")
    assert running.started_at > 1e9
    assert running.name == "orca-contract"
    assert LABELS.items() <= running.labels.items()


async def test_container_is_inspected_by_name(bench: Bench) -> None:
    container = await bench.runtime.create(bench.request())
    found = await bench.runtime.inspect("orca-contract")
    assert found is not None
    assert found.id == container


async def test_starting_what_runs_changes_nothing(bench: Bench) -> None:
    container = await bench.run()
    before = await bench.runtime.inspect(container)
    await bench.runtime.start(container)
    assert await bench.runtime.inspect(container) == before


async def test_name_in_use_is_a_conflict(bench: Bench) -> None:
    await bench.runtime.create(bench.request())
    with pytest.raises(errors.Conflict):
        await bench.runtime.create(bench.request())


async def test_ended_container_tells_its_exit_code_and_can_be_started_again(bench: Bench) -> None:
    container = await bench.run(CRASHER)
    ended = await bench.until_ended(container)
    assert ended.state is ContainerState.EXITED
    assert ended.exit_code == 3
    assert not ended.oom_killed
    # Docker writes the start down when it hears of it: a very short run may end before.
    assert ended.finished_at > ended.started_at - 1.0
    assert ended.address == ""
    await bench.runtime.start(container)
    again = await bench.until_ended(container)
    assert again.id == ended.id
    assert again.started_at > ended.started_at


async def test_stop_lets_a_container_end_by_itself(bench: Bench) -> None:
    container = await bench.run()
    async with asyncio.timeout(5):
        await bench.runtime.stop(container, grace_seconds=30)
    ended = await bench.runtime.inspect(container)
    assert ended is not None
    assert ended.exit_code == 143


async def test_stop_kills_after_the_grace(bench: Bench) -> None:
    container = await bench.run(STUBBORN)
    await asyncio.sleep(0.2)
    began = asyncio.get_running_loop().time()
    await bench.runtime.stop(container, grace_seconds=1)
    assert asyncio.get_running_loop().time() - began >= 0.9
    ended = await bench.runtime.inspect(container)
    assert ended is not None
    assert ended.exit_code == 137


async def test_kill_ends_at_once(bench: Bench) -> None:
    container = await bench.run(STUBBORN)
    await bench.runtime.kill(container)
    ended = await bench.until_ended(container)
    assert ended.exit_code == 137
    assert not ended.oom_killed


async def test_lack_of_memory_is_told_from_a_kill(bench: Bench) -> None:
    limits = Resources(memory_bytes=16 << 20)
    container = await bench.run(HUNGRY, resources=limits, init=False)
    ended = await bench.until_ended(container)
    assert ended.oom_killed
    assert ended.exit_code == 137


async def test_removed_container_is_gone_running_or_not(bench: Bench) -> None:
    container = await bench.run()
    await bench.runtime.remove(container)
    assert await bench.runtime.inspect(container) is None
    assert await bench.runtime.list(LABELS) == ()


async def test_ending_what_is_gone_succeeds(bench: Bench) -> None:
    await bench.runtime.stop(NOWHERE, grace_seconds=1)
    await bench.runtime.kill(NOWHERE)
    await bench.runtime.remove(NOWHERE)
    assert await bench.runtime.remove_network_if_unused("orca-nowhere", labels={})


async def test_using_what_is_gone_is_not_found(bench: Bench) -> None:
    with pytest.raises(errors.NotFound):
        await bench.runtime.start(NOWHERE)
    with pytest.raises(errors.NotFound):
        await bench.runtime.rename(NOWHERE, "orca-other")
    with pytest.raises(errors.NotFound):
        await bench.runtime.exec(NOWHERE, ExecSpec(command=("true",)))
    with pytest.raises(errors.NotFound):
        await collect(bench.runtime.logs(NOWHERE, LogQuery()))
    assert await bench.runtime.inspect(NOWHERE) is None


async def test_renamed_container_goes_on_running(bench: Bench) -> None:
    container = await bench.run()
    await bench.runtime.rename(container, "orca-renamed")
    found = await bench.runtime.inspect(container)
    assert found is not None
    assert found.name == "orca-renamed"
    assert found.running


async def test_renaming_to_a_name_in_use_is_a_conflict(bench: Bench) -> None:
    await bench.runtime.create(bench.request(name="orca-first"))
    second = await bench.runtime.create(bench.request(name="orca-second"))
    with pytest.raises(errors.Conflict):
        await bench.runtime.rename(second, "orca-first")


async def test_list_goes_by_all_labels(bench: Bench) -> None:
    first = await bench.run(name="orca-one", replica="r-1")
    second = await bench.runtime.create(bench.request(name="orca-two", replica="r-2"))
    listed = {each.id: each for each in await bench.runtime.list(LABELS)}
    assert listed.keys() == {first, second}
    assert listed[first].running
    assert not listed[second].running
    assert listed[second].name == "orca-two"
    (only,) = await bench.runtime.list({**LABELS, "orca.replica": "r-2"})
    assert only.id == second


# --- refusals ---


async def test_host_port_in_use_is_named_and_may_come_free(bench: Bench) -> None:
    taken = (PortMapping(host_port=47_811, container_port=80, host_ip="127.0.0.1"),)
    await bench.run(name="orca-one", ports=taken)
    second = await bench.runtime.create(bench.request(name="orca-two", ports=taken))
    with pytest.raises(errors.ContainerError, match="host port 47811 is already in use") as caught:
        await bench.runtime.start(second)
    assert not caught.value.permanent
    assert "47811" in caught.value.hint


async def test_missing_command_is_permanent(bench: Bench) -> None:
    container = await bench.runtime.create(bench.request(command=("/missing",), init=False))
    with pytest.raises(errors.ContainerError, match="command does not exist") as caught:
        await bench.runtime.start(container)
    assert caught.value.permanent


async def test_missing_path_of_the_host_is_permanent(bench: Bench) -> None:
    mounts = (BindMount(source="/missing/here", target="/there"),)
    with pytest.raises(errors.ContainerError, match="does not exist on this host") as caught:
        await bench.runtime.create(bench.request(mounts=mounts))
    assert caught.value.permanent


# --- events ---


async def test_events_tell_of_every_change(bench: Bench) -> None:
    async with bench.runtime.events(LABELS) as events:
        container = await bench.run(CRASHER)
        seen = []
        async with asyncio.timeout(10):
            async for event in events:
                seen.append(event)
                if event.action == "die":
                    break
    assert [event.action for event in seen] == ["create", "start", "die"]
    assert {event.container for event in seen} == {container}
    assert seen[-1].labels["orca.replica"] == "r-1"
    assert seen[-1].exit_code == 3


async def test_events_of_others_are_not_told(bench: Bench) -> None:
    async with bench.runtime.events({**LABELS, "orca.node": "elsewhere"}) as events:
        await bench.run(CRASHER)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await anext(aiter(events))


async def exhaust(events: AsyncIterator[ContainerEvent]) -> None:
    async with asyncio.timeout(5):
        async for _ in events:
            pass


async def test_event_stream_of_a_stopped_daemon_breaks_and_calls_fail(bench: Bench) -> None:
    container = await bench.run()
    async with bench.runtime.events(LABELS) as events:
        bench.site.stop_daemon()
        try:
            with pytest.raises(errors.DockerUnavailable):
                await exhaust(events)
            with pytest.raises(errors.DockerUnavailable) as caught:
                await bench.runtime.ping()
            assert caught.value.hint
            with pytest.raises(errors.DockerUnavailable):
                await bench.runtime.list(LABELS)
            with pytest.raises(errors.DockerUnavailable):
                await bench.runtime.start(container)
        finally:
            bench.site.start_daemon()
    ended = await bench.until_ended(container)
    assert ended.id == container
    await bench.runtime.start(container)


# --- logs ---


async def until_written(bench: Bench, container: str) -> None:
    async def written() -> bool:
        found = await collect(bench.runtime.logs(container, LogQuery()))
        return "three" in found[Channel.STDOUT]

    await bench.until(written)


async def test_logs_keep_the_two_outputs_apart(bench: Bench) -> None:
    container = await bench.run(WRITER)
    await until_written(bench, container)
    found = await collect(bench.runtime.logs(container, LogQuery()))
    assert found == {Channel.STDOUT: "one\nthree\n", Channel.STDERR: "two\n"}


async def test_tail_of_a_log(bench: Bench) -> None:
    container = await bench.run(WRITER)
    await until_written(bench, container)
    found = await collect(bench.runtime.logs(container, LogQuery(tail=2)))
    assert found == {Channel.STDOUT: "three\n", Channel.STDERR: "two\n"}


async def test_log_lines_carry_their_time_when_asked(bench: Bench) -> None:
    container = await bench.run(WRITER)
    await until_written(bench, container)
    found = await collect(bench.runtime.logs(container, LogQuery(tail=1, timestamps=True)))
    stamp, _, text = found[Channel.STDOUT].partition(" ")
    assert stamp.startswith("20")
    assert text == "three\n"


async def test_logs_of_two_runs_are_told_apart_by_the_end_of_the_first(bench: Bench) -> None:
    container = await bench.run(CRASHER)
    border = (await bench.until_ended(container)).finished_at + LOG_LAG_SECONDS
    await asyncio.sleep(2 * LOG_LAG_SECONDS)
    await bench.runtime.start(container)
    await bench.until_ended(container)
    both = await collect(bench.runtime.logs(container, LogQuery()))
    assert both[Channel.STDOUT] == "dying\ndying\n"
    for part in (LogQuery(until=border), LogQuery(since=border)):
        found = await collect(bench.runtime.logs(container, part))
        assert found[Channel.STDOUT] == "dying\n"


async def test_running_container_remembers_when_it_last_ended(bench: Bench) -> None:
    container = await bench.run()
    first = await bench.runtime.inspect(container)
    assert first is not None
    assert first.finished_at == 0
    await bench.runtime.kill(container)
    ended = await bench.until_ended(container)
    await bench.runtime.start(container)
    again = await bench.runtime.inspect(container)
    assert again is not None
    assert again.running
    assert again.finished_at == ended.finished_at


async def test_followed_log_ends_with_the_container(bench: Bench) -> None:
    container = await bench.run(WRITER)
    async with asyncio.timeout(10):
        following = asyncio.ensure_future(
            collect(bench.runtime.logs(container, LogQuery(follow=True)))
        )
        await until_written(bench, container)
        await bench.runtime.kill(container)
        found = await following
    assert found[Channel.STDOUT] == "one\nthree\n"


# --- exec ---


async def run_inside(bench: Bench, *command: str) -> tuple[str, int]:
    container = await bench.run()
    session = await bench.runtime.exec(container, ExecSpec(command=command))
    said = ""
    while (output := await session.read()) is not None:
        said += output.data.decode()
    code = await session.exit_code()
    await session.close()
    await session.close()
    return said, code


async def test_command_inside_tells_its_output_and_exit_code(bench: Bench) -> None:
    assert await run_inside(bench, "echo", "hello", "there") == ("hello there\n", 0)


async def test_failing_command_inside_tells_its_exit_code(bench: Bench) -> None:
    assert await run_inside(bench, "sh", "-c", "exit 7") == ("", 7)


async def test_command_inside_that_does_not_exist_says_so(bench: Bench) -> None:
    said, code = await run_inside(bench, "nonsense")
    assert "executable file not found" in said
    assert code in (126, 127)


async def test_command_inside_reads_its_input_to_the_end(bench: Bench) -> None:
    container = await bench.run()
    session = await bench.runtime.exec(container, ExecSpec(command=("cat",), stdin=True))
    async with asyncio.timeout(5):
        await session.write(b"hello\n")
        output = await session.read()
        assert output == Output(Channel.STDOUT, b"hello\n")
        await session.close_stdin()
        assert await session.read() is None
    assert await session.exit_code() == 0
    await session.close()


async def test_command_inside_what_does_not_run_is_refused(bench: Bench) -> None:
    container = await bench.runtime.create(bench.request())
    with pytest.raises(errors.ContainerError):
        await bench.runtime.exec(container, ExecSpec(command=("true",)))


# --- networks ---


async def test_network_is_removed_only_when_it_is_ours_and_unused(bench: Bench) -> None:
    owner = {"orca.cluster": LABELS["orca.cluster"]}
    await bench.runtime.ensure_network("orca-contract", labels=owner)
    await bench.runtime.ensure_network("orca-contract", labels=owner)
    container = await bench.run()
    assert not await bench.runtime.remove_network_if_unused("orca-contract", labels=owner)
    await bench.runtime.remove(container)
    stranger = {"orca.cluster": "another"}
    assert not await bench.runtime.remove_network_if_unused("orca-contract", labels=stranger)
    assert await bench.runtime.remove_network_if_unused("orca-contract", labels=owner)
