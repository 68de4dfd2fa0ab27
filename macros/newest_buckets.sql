{#-
  Which rows of `observed` are the newest sight of their bucket, and which of those the reconciliation
  goes by. A bucket (source, report, org_id, bucket_key) lands whole, again whenever it changed: its
  newest load counts. Of the reports of one vendor, organisation and day that serve the purpose, the one that `vendor_reports` puts first
  speaks, alone; reports of one source and rank are parts of one. An organisation that a row does not
  tell may be any. The row that empties a bucket need not say where the bucket was.
-#}
{% macro newest_buckets(columns, purpose, width_rank='1') -%}
    {%- set places = ['vendor', 'bucket_start_at', 'bucket_end_at'] -%}
    {%- set bucket = 'observed.source, observed.report, observed.org_id, observed.bucket_key' -%}
    loads as (
        select
            load_id,
            loaded_at
        from {{ ref('int_loads__numbered') }}
    ),

    reports as (
        select * from {{ ref('vendor_reports') }}
    ),

    located as (
        select
            {% for column in columns %}
            {% if column in places %}
            coalesce(
                observed.{{ column }},
                max(observed.{{ column }}) over (
                    partition by {{ bucket }}
                )
            ) as {{ column }},
            {% else %}
            observed.{{ column }} as {{ column }},
            {% endif %}
            {% endfor %}
            loads.loaded_at as loaded_at,
            dense_rank() over (
                partition by {{ bucket }}
                order by loads.loaded_at desc, observed.load_id desc
            ) as recency
        from observed
        inner join loads
            on observed.load_id = loads.load_id
    ),

    with_report as (
        select
            {% for column in columns %}
            located.{{ column }} as {{ column }},
            {% endfor %}
            located.loaded_at as loaded_at,
            cast(located.recency = 1 as boolean) as is_newest,
            cast(located.bucket_start_at as date) as usage_date,
            coalesce(reports.purpose, '{{ purpose }}') = '{{ purpose }}' as is_for_this,
            coalesce(reports.priority, 100) as priority,
            coalesce(reports.settle_hours, 24) as settle_hours,
            reports.tier_left_out as tier_left_out,
            {{ width_rank }} as width_rank
        from located
        left join reports
            on located.source = reports.source
            and located.report = reports.report
    ),

    in_order as (
        select
            *,
            dense_rank() over (order by priority asc, width_rank asc, source asc) as place
        from with_report
    ),

    placed as (
        select
            *,
            case when is_newest and is_for_this then place end as speaking_place
        from in_order
    ),

    compared as (
        select
            *,
            min(speaking_place) over (partition by vendor, usage_date) as first_of_all,
            min(speaking_place) over (partition by vendor, usage_date, org_id) as first_of_org,
            min(case when org_id is null then speaking_place end)
                over (partition by vendor, usage_date) as first_of_no_org
        from placed
    ),

    final as (
        select
            {% for column in columns %}
            {{ column }},
            {% endfor %}
            usage_date,
            loaded_at,
            settle_hours,
            tier_left_out,
            is_newest,
            cast(
                coalesce(
                    speaking_place = case
                        when org_id is null then first_of_all
                        else least(first_of_org, coalesce(first_of_no_org, first_of_org))
                    end,
                    false
                ) as boolean
            ) as is_reconciled
        from compared
    )
{%- endmacro %}
