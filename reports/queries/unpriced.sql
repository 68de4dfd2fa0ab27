-- What no price is known for, and so is missing from every total.
select
    model_id,
    vendor,
    total_calls as calls,
    input_tokens + cache_write_5m_tokens + cache_write_1h_tokens + cache_read_tokens
        as all_input_tokens,
    output_tokens as all_output_tokens,
    strftime(first_seen_at, '%Y-%m-%d') as first_seen,
    strftime(last_seen_at, '%Y-%m-%d') as last_seen
from marts.unpriced_usage
order by calls desc, model_id
