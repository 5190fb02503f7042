"""Jobs know what was asked and who holds them; proposals what was seen, and that two people are two."""

from __future__ import annotations

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("hub", "0001_first"),
    ]

    operations = [
        migrations.AddField(
            model_name="job",
            name="cancel",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="job",
            name="lease",
            field=models.CharField(blank=True, editable=False, max_length=32),
        ),
        migrations.AddField(
            model_name="job",
            name="what",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="proposal",
            name="answer",
            field=models.TextField(blank=True, max_length=2000, verbose_name="answer"),
        ),
        migrations.AddField(
            model_name="proposal",
            name="head",
            field=models.CharField(
                blank=True, max_length=64, validators=[django.core.validators.RegexValidator("\\A[0-9a-f]{64}\\Z")]
            ),
        ),
        migrations.AddField(
            model_name="proposal",
            name="seal",
            field=models.CharField(
                blank=True, max_length=64, validators=[django.core.validators.RegexValidator("\\A[0-9a-f]{64}\\Z")]
            ),
        ),
        migrations.AddField(
            model_name="proposal",
            name="seen",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="proposal",
            name="two_person",
            field=models.BooleanField(default=False),
        ),
        migrations.AddConstraint(
            model_name="proposal",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("two_person", False),
                    ("decided_by", None),
                    models.Q(("decided_by", models.F("proposed_by")), _negated=True),
                    _connector="OR",
                ),
                name="two_people_are_two",
            ),
        ),
    ]
