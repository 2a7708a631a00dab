from service.scheduling.limits import NOBODY, AdmissionLimits, Client

LIMITS = AdmissionLimits(max_queued_jobs=100, max_queued_tokens=1000)
SOMEBODY = Client(name="somebody")


def test_a_client_may_have_half_of_what_others_leave() -> None:
    assert (LIMITS.max_jobs_of(SOMEBODY), LIMITS.max_tokens_of(SOMEBODY)) == (50, 500)
    assert (LIMITS.max_jobs_of(SOMEBODY, 40), LIMITS.max_tokens_of(SOMEBODY, 400)) == (30, 300)


def test_clients_who_take_what_they_may_have_come_to_equal_parts() -> None:
    jobs = [0] * 4
    for _ in range(20):
        for number in range(4):
            jobs[number] = LIMITS.max_jobs_of(SOMEBODY, sum(jobs) - jobs[number])
    assert jobs == [20] * 4


def test_what_is_set_counts_and_what_a_key_says_before_it() -> None:
    limits = AdmissionLimits(max_queued_jobs_per_client=7, max_queued_tokens_per_client=8)
    assert (limits.max_jobs_of(SOMEBODY, 999), limits.max_tokens_of(SOMEBODY, 999)) == (7, 8)
    assert limits.max_jobs_of(Client(name="with a bound", max_queued_jobs=3)) == 3


def test_the_service_itself_may_have_everything() -> None:
    assert LIMITS.max_jobs_of(NOBODY, 40) == LIMITS.max_queued_jobs
    assert LIMITS.max_tokens_of(NOBODY, 40) == LIMITS.max_queued_tokens
