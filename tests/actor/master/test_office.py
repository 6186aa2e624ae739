"""The seat of the leader: what is shown while nobody sits there."""

from __future__ import annotations

from dataclasses import replace

from orca.master.office import Office
from orca.master.publication import Publication
from orca.store.memory import MemoryStore
from orca.testing import virtual_time


def test_master_that_has_lost_its_term_does_not_show_its_last_knowledge_as_the_truth() -> None:
    async def main() -> None:
        publication = Publication()
        office = Office(MemoryStore(), publication)
        publication.publish(replace(publication.latest, number=3, settled=True, problem=""))
        office.leave()
        assert publication.latest.number == 4
        assert publication.latest.problem == "this master does not lead any more"

    virtual_time.run(main())


def test_master_that_never_knew_anything_still_says_that_it_starts() -> None:
    async def main() -> None:
        publication = Publication()
        Office(MemoryStore(), publication).leave()
        assert publication.latest.number == 0

    virtual_time.run(main())
