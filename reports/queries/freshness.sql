select
    source,
    strftime(first_called_at, '%Y-%m-%d %H:%M') as first_call,
    strftime(last_called_at, '%Y-%m-%d %H:%M') as last_call,
    strftime(last_loaded_at, '%Y-%m-%d %H:%M') as last_load,
    time_zone,
    billing_currency
from marts.data_freshness
order by source
