from service.scheduling.limits import INTERNAL_CLIENT, AdmissionLimits, Client

LIMITS = AdmissionLimits(max_queued_jobs=100, max_queued_tokens=1000)
CLIENT = Client(name="client")


def test_a_client_may_have_half_of_what_others_leave() -> None:
    assert (LIMITS.max_jobs_of(CLIENT), LIMITS.max_tokens_of(CLIENT)) == (50, 500)
    assert (LIMITS.max_jobs_of(CLIENT, 40), LIMITS.max_tokens_of(CLIENT, 400)) == (30, 300)


def test_clients_that_take_all_they_may_end_with_equal_shares() -> None:
    jobs = [0] * 4
    for _ in range(20):
        for number in range(4):
            jobs[number] = LIMITS.max_jobs_of(CLIENT, sum(jobs) - jobs[number])
    assert jobs == [20] * 4


def test_the_limit_of_a_key_precedes_the_setting() -> None:
    limits = AdmissionLimits(max_queued_jobs_per_client=7, max_queued_tokens_per_client=8)
    assert (limits.max_jobs_of(CLIENT, 999), limits.max_tokens_of(CLIENT, 999)) == (7, 8)
    assert limits.max_jobs_of(Client(name="with a bound", max_queued_jobs=3)) == 3


def test_internal_jobs_may_fill_the_queue() -> None:
    assert LIMITS.max_jobs_of(INTERNAL_CLIENT, 40) == LIMITS.max_queued_jobs
    assert LIMITS.max_tokens_of(INTERNAL_CLIENT, 40) == LIMITS.max_queued_tokens


def test_halves_are_rounded_down() -> None:
    odd = AdmissionLimits(max_queued_jobs=9, max_queued_tokens=9)
    assert str((odd.max_jobs_of(CLIENT), odd.max_tokens_of(CLIENT))) == "(4, 4)"
    assert str((odd.max_jobs_of(CLIENT, 2), odd.max_tokens_of(CLIENT, 2))) == "(3, 3)"
