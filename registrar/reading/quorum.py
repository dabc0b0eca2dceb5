"""Who counts for which rule, when nobody may count for two."""

from collections.abc import Collection, Sequence


def unfilled(required: Sequence[int], members: Sequence[Collection[str]], agreed: Collection[str]) -> list[int]:
    """How many approvals each rule still lacks. required: of each rule; members: of each rule's group.

    Each person takes one seat, and gives way to another who fits nowhere else: a maximum matching by augmenting paths
    (https://en.wikipedia.org/wiki/Hopcroft-Karp_algorithm is the fast one; here are a few dozen seats).
    """
    seats = [rule for rule, count in enumerate(required) for _ in range(count)]
    taken: dict[int, str] = {}

    def seat(person: str, tried: set[int]) -> bool:
        for number, rule in enumerate(seats):
            if number in tried or person not in members[rule]:
                continue
            tried.add(number)
            if number not in taken or seat(taken[number], tried):
                taken[number] = person
                return True
        return False

    for person in sorted(agreed):
        seat(person, set())
    free = [rule for number, rule in enumerate(seats) if number not in taken]
    return [free.count(rule) for rule in range(len(required))]
