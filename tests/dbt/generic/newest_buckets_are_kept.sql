{#-
  Fails where a mart of reports does not hold what the newest completed load of each bucket brought:
  counted from staging, bucket by bucket.
-#}
{% test newest_buckets_are_kept(model, columns, staged) %}
{% set sources = usage_bucket_sources() if staged == 'usage_buckets' else cost_sources() %}
with

staged as (
    {% for source in sources %}
    select
        source,
        report,
        org_id,
        bucket_key,
        load_id,
        {% for column in columns %}
        {{ column }},
        {% endfor %}
        is_empty
    from {{ ref('stg_' ~ source ~ '__' ~ staged) }}
    {% if not loop.last %}
    union all
    {% endif %}
    {% endfor %}
),

loads as (
    select
        staged.source as source,
        staged.report as report,
        coalesce(staged.org_id, '') as org_id,
        staged.bucket_key as bucket_key,
        staged.load_id as load_id,
        loads.loaded_at as loaded_at,
        {% for column in columns %}
        sum(case when staged.is_empty then 0 else staged.{{ column }} end) as {{ column }},
        {% endfor %}
        sum(case when staged.is_empty then 0 else 1 end) as row_count
    from staged
    inner join {{ ref('int_loads__numbered') }} as loads
        on staged.load_id = loads.load_id
    group by
        staged.source,
        staged.report,
        coalesce(staged.org_id, ''),
        staged.bucket_key,
        staged.load_id,
        loads.loaded_at
),

expected as (
    select
        {% for column in columns %}
        coalesce(sum({{ column }}), 0) as {{ column }},
        {% endfor %}
        coalesce(sum(row_count), 0) as row_count
    from (
        select
            *,
            row_number() over (
                partition by source, report, org_id, bucket_key
                order by loaded_at desc, load_id desc
            ) as recency
        from loads
    ) as ranked
    where recency = 1
),

actual as (
    select
        {% for column in columns %}
        coalesce(sum({{ column }}), 0) as {{ column }},
        {% endfor %}
        count(*) as row_count
    from {{ model }}
)

select actual.row_count
from actual
cross join expected
where
    {% for column in columns %}
    actual.{{ column }} != expected.{{ column }}
    or
    {% endfor %}
    actual.row_count != expected.row_count
{% endtest %}
